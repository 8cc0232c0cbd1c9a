import { expect, test } from 'vitest'
import { holds, parseRequirement } from '../../src/python/requirement.js'

const linux = {
  os_name: 'posix',
  sys_platform: 'linux',
  platform_machine: 'x86_64',
  platform_release: '6.1.0-generic',
  python_version: '3.11',
  python_full_version: '3.11.7',
}

test.each([
  ['numpy', 'numpy', [], '', ''],
  ['PyYAML >= 6, <7', 'pyyaml', [], '>= 6, <7', ''],
  ['Zope.Interface_x!=1.24', 'zope-interface-x', [], '!=1.24', ''],
  ['misaki[en, Zh_TW]>=0.7', 'misaki', ['en', 'zh-tw'], '>=0.7', ''],
  ['a (>=1,<2)', 'a', [], '>=1,<2', ''],
  ['a>=1;python_version<"3.13"', 'a', [], '>=1', 'python_version<"3.13"'],
  ['a[x] @ https://b/c.whl?d;e ; os_name == "nt"', 'a', ['x'], '', 'os_name == "nt"'],
])('%s is read', (text, name, extras, specifiers, marker) => {
  expect(parseRequirement(text)).toEqual({ text, name, extras, specifiers, marker })
})

test.each(['', '--pre', 'a b', 'a>=', 'a[x', './a', '@scope/a', 'a @', 'ä', 'a'.repeat(5000)])(
  '%j is no requirement',
  (text) => {
    expect(parseRequirement(text)).toBeUndefined()
  },
)

test.each([
  ['', true],
  ['python_version < "3.9"', false],
  ['python_version >= "3.9" and sys_platform == "linux"', true],
  ['(os_name == "nt" or os_name == "posix") and platform_machine != "arm64"', true],
  ['os_name == "posix" or os_name == "nt" and python_version < "3"', true],
  ["'linux' in sys_platform", true],
  ['sys_platform not in "linux darwin"', false],
  ['"3.9" <= python_version', true],
  ['python_full_version ~= "3.11.2"', true],
  ['platform_release >= "5"', true],
  ['extra == "en"', false],
])('%s holds: %s', (marker, expected) => {
  expect(holds(marker, linux)).toBe(expected)
})

test('extras are compared by their normal names', () => {
  expect(holds('extra == "Foo_Bar"', linux, 'foo-bar')).toBe(true)
  expect(holds('extra != "en"', linux, 'en')).toBe(false)
})

test.each([
  'nonsense',
  'os_name ==',
  '(os_name == "nt"',
  'os_name == "nt" )',
  'os_name is "nt"',
  'é',
  'what == "x"',
])('what can’t be read holds: %s', (marker) => {
  expect(holds(marker, linux)).toBe(true)
})

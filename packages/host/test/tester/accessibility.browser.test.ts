import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeFolder } from '../fixtures/plugins.js'
import { violations } from './axe.js'
import { choose, launch, load, type RunningTester, startCommand, visit } from './browser.js'
import { findChromium } from './chromium.js'

const chromium = findChromium()

const looks = [1280, 375].flatMap((width) =>
  (['light', 'dark'] as const).map((colorScheme) => ({ width, colorScheme })),
)

describe.skipIf(chromium === undefined)(
  'the page of the Plugin Tester, for everybody',
  { timeout: 120_000 },
  () => {
    const folder = makeFolder()
    let tester: RunningTester
    let browser: Browser
    let page: Page

    beforeAll(async () => {
      ;[tester, browser] = await Promise.all([startCommand(folder.path), launch(chromium ?? '')])
      // Only the checks of a test may come from elsewhere than the page.
      page = await browser.newPage({ bypassCSP: true })
      await page.goto(tester.url)
      await page.locator('#plugin-title').waitFor()
      await choose(page, 'tts_tone', 'synthesize')
      await page.getByLabel('text required').fill('Hi')
      await page.getByRole('button', { name: /^Invoke/ }).click()
      await page.locator('.result audio').waitFor()
      await load(page, 'hostile')
      await visit(page, 'checks', 'tts_tone')
      await page.getByRole('button', { name: 'Run all' }).click()
      await page.getByRole('button', { name: 'Run all' }).waitFor({ timeout: 60_000 })
    })

    afterAll(async () => {
      await browser?.close()
      await tester?.stop()
      folder.remove()
    })

    describe.each(looks)('at $width pixels, $colorScheme', ({ width, colorScheme }) => {
      it.each([
        ['plugin', 'tts_flite'],
        ['plugin', 'tts_tone'],
        ['plugin', 'broken'],
        ['invoke', 'tts_tone'],
        ['invoke', 'llm_llama'],
        ['health', ''],
        ['load', 'tts_tone'],
        ['checks', 'tts_tone'],
        ['logs', ''],
        ['wire', 'tts_tone'],
        ['talk', ''],
      ])('%s %s: axe finds nothing, and nothing sticks out', async (section, plugin) => {
        await page.setViewportSize({ width, height: 800 })
        await page.emulateMedia({ colorScheme })
        await visit(page, section, plugin)
        await page.waitForTimeout(300)
        expect(await violations(page)).toEqual([])
        expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width)
      })
    })

    it('shows to the keyboard where it is', async () => {
      await page.setViewportSize({ width: 1280, height: 800 })
      await visit(page, 'plugin', 'tts_tone')
      await page.reload()
      await page.locator('#plugin-title').waitFor()
      await page.keyboard.press('Tab')
      expect(await page.evaluate(() => document.activeElement?.textContent?.trim())).toBe(
        'Skip to the content',
      )
      await page.keyboard.press('Tab')
      const outline = await page.evaluate(
        () => getComputedStyle(document.activeElement ?? document.body).outlineStyle,
      )
      expect(outline).toBe('solid')
    })
  },
)

import type { PackageManager } from './answers.js'

/** What one types. */
export interface Commands {
  /** A step that CI needs before the others. */
  setup?: string
  install: string
  /** The same in CI: exactly what the lock file says. pnpm and Yarn see where they are. */
  ci: string
  test: string
  run: string
  /** Runs a command of an installed package, and never one that it would first have to download. */
  exec: string
  /** Runs this generator, in the place of VERSION and NAME what they say; flags follow. */
  create: string
}

const commands: Record<PackageManager, Commands> = {
  npm: {
    install: 'npm install',
    ci: 'npm ci',
    test: 'npm test',
    run: 'npm run',
    exec: 'npx --no-install',
    create: 'npm create appfactory-plugin@VERSION NAME --',
  },
  pnpm: {
    setup: 'run: npm install --global pnpm',
    install: 'pnpm install',
    ci: 'pnpm install',
    test: 'pnpm test',
    run: 'pnpm run',
    exec: 'pnpm exec',
    create: 'pnpm create appfactory-plugin@VERSION NAME',
  },
  yarn: {
    setup: 'run: npm install --global yarn',
    install: 'yarn install',
    ci: 'yarn install',
    test: 'yarn test',
    run: 'yarn run',
    exec: 'yarn',
    create: 'yarn create appfactory-plugin@VERSION NAME',
  },
  bun: {
    setup: 'uses: oven-sh/setup-bun@v2',
    install: 'bun install',
    ci: 'bun install --frozen-lockfile',
    test: 'bun run test',
    run: 'bun run',
    exec: 'bunx --no-install',
    create: 'bun create appfactory-plugin@VERSION NAME',
  },
}

export function commandsOf(packageManager: PackageManager): Commands {
  return commands[packageManager]
}

/** The package manager that runs this command, as it says in `npm_config_user_agent`. */
export function packageManagerOf(userAgent: string | undefined): PackageManager {
  const [name = ''] = (userAgent ?? '').split('/')
  return name === 'pnpm' || name === 'yarn' || name === 'bun' ? name : 'npm'
}

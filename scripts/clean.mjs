// Removes what a package was built to before: a file that was moved would stay in dist/, and be packed.
import { rmSync } from 'node:fs'

rmSync('dist', { recursive: true, force: true })

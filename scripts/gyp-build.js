// node-gyp's way into the CMake build: builds as `npm run build:addon` does, but into a directory of its own, and copies
// the addon to where node-gyp promised it.
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const [target] = process.argv.slice(2)
if (target === undefined) throw new Error('usage: gyp-build.js DIRECTORY')
const cmakeJs = join(
  dirname(createRequire(import.meta.url).resolve('cmake-js/package.json')),
  'bin',
  'cmake-js',
)
const out = join(import.meta.dirname, '..', 'build', 'gyp')
const { status } = spawnSync(process.execPath, [cmakeJs, 'compile', '--out', out], { stdio: 'inherit' })
if (status !== 0) process.exit(status ?? 1)
mkdirSync(target, { recursive: true })
copyFileSync(join(out, 'Release', 'addon.node'), join(target, 'addon.node'))

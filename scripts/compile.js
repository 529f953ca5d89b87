// Compiles the addon with CMake only, from a checkout or an installed package, and copies it to a folder. `packed-rnn build`
// runs this, and so does node-gyp through binding.gyp.
//
//   node scripts/compile.js FOLDER
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, rmSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'

const [folder] = process.argv.slice(2)
if (folder === undefined) throw new Error('usage: node scripts/compile.js FOLDER')
const target = resolve(folder)
const root = join(import.meta.dirname, '..')
const out = join(root, 'build', 'source')
// CMakeLists.txt asks `node` where the headers are. It must be this Node, which may not be on the PATH.
const PATH = [dirname(process.execPath), process.env.PATH].join(delimiter)

cmake('-S', root, '-B', out, '-DCMAKE_BUILD_TYPE=Release')
cmake('--build', out, '--target', 'addon', '--parallel', String(availableParallelism()))
mkdirSync(target, { recursive: true })
copyFileSync(join(out, 'addon.node'), join(target, 'addon.node'))
rmSync(out, { recursive: true })

function cmake(...words) {
  const { status, error } = spawnSync('cmake', words, { stdio: 'inherit', env: { ...process.env, PATH } })
  if (error) throw error
  if (status !== 0) process.exit(status ?? 1)
}

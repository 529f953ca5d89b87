// Makes prebuilds/PLATFORM-ARCH, which the package ships: the addon, and the CUDA library for every architecture.
// npm run prebuild.
//
// Both come from the ordinary incremental builds, so the tested binaries are the ones that ship.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import prebuildify from 'prebuildify'

const root = join(import.meta.dirname, '..')
const staged = join(root, 'build', 'prebuild')
const binaries = ['addon.node']

npm('build:addon')
if (spawnSync(process.env.CUDACXX ?? 'nvcc', ['--version']).status === 0) {
  npm('build:cuda')
  binaries.push('libpacked_rnn_cuda.so')
} else {
  process.stdout.write('no nvcc: prebuilding the addon without the CUDA library\n')
}

// Copies, because prebuildify strips and moves the files.
rmSync(staged, { recursive: true, force: true })
mkdirSync(join(staged, 'build/Release'), { recursive: true })
for (const name of binaries)
  cpSync(join(root, 'build/Release', name), join(staged, 'build/Release', name), { dereference: true })
rmSync(join(root, 'prebuilds'), { recursive: true, force: true })
await promisify(prebuildify)({
  cwd: staged,
  out: root,
  name: 'packed-rnn',
  napi: true,
  strip: true,
  tagLibc: true,
  // Replaces node-gyp by `true`: the addon is already compiled.
  nodeGyp: 'true',
})
rmSync(staged, { recursive: true })

function npm(script) {
  const { status } = spawnSync('npm', ['run', '--silent', script], { cwd: root, stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

// Makes build/gpu-bundle: everything that `node bench/gpu.js` needs on a machine with a driver and without Node, npm or
// network. Run it there with ./run.sh [options of bench/gpu.js].
//
// Run first: npm install && npm run build:cuda && npm run build:gpu
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'

const MOST_BYTES = 45 * 2 ** 20
const root = join(import.meta.dirname, '..')
const bundle = join(root, 'build/gpu-bundle')

const RUN = `#!/bin/sh
# Unpacks the binaries once, and runs bench/gpu.js.
set -e
export INIT_CWD="$PWD"
cd "$(dirname "$0")"
if [ ! -e build/gpu/build ]; then
  tar -xJf binaries.tar.xz 2>/dev/null ||
    python3 -c 'import tarfile; tarfile.open("binaries.tar.xz").extractall()'
  mkdir build/gpu/build
  ln -s ../../Release build/gpu/build/Release
fi
exec ./node bench/gpu.js "$@"
`

rmSync(bundle, { recursive: true, force: true })
mkdirSync(bundle, { recursive: true })
// Skips the link to the addon, which run.sh creates again, and files that only a compiler reads.
const wanted = source =>
  !/\.(map|d\.[cm]?ts|tsbuildinfo)$/.test(source) && !source.endsWith('build/gpu/build')
for (const path of [
  ...['package.json', 'dist', 'build/gpu'],
  ...['bench/gpu.js', 'bench/gpu', 'bench/gnad-lengths.json'],
  'bench/peers/cuda_torch.py',
  ...runtimePackages().map(name => `node_modules/${name}`),
]) {
  if (!existsSync(join(root, path)))
    throw new Error(`no ${path}: run npm run build:ts, build:cuda and build:gpu first`)
  cpSync(join(root, path), join(bundle, path), { recursive: true, dereference: true, filter: wanted })
}
packBinaries()
writeFileSync(join(bundle, 'run.sh'), RUN)
chmodSync(join(bundle, 'run.sh'), 0o755)

const bytes = sizeOf(bundle)
process.stdout.write(`${bundle}: ${(bytes / 2 ** 20).toFixed(1)} MiB\n`)
if (bytes > MOST_BYTES) throw new Error(`wanted at most ${MOST_BYTES / 2 ** 20} MiB`)

/** The packages that dist needs at run time, with their dependencies. Those that draw pages are left out: none is drawn there. */
function runtimePackages() {
  const found = new Set(['@observablehq/plot', 'linkedom'])
  const drawing = new Set(found)
  const add = name => {
    if (found.has(name)) return
    found.add(name)
    const manifest = JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8'))
    for (const dependency of Object.keys(manifest.dependencies ?? {})) add(dependency)
  }
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  for (const name of Object.keys(dependencies)) add(name)
  return [...found].filter(name => !drawing.has(name))
}

/** Node, the addon and the CUDA library, without symbols, in one compressed archive. */
function packBinaries() {
  const staged = join(bundle, 'staged')
  mkdirSync(join(staged, 'build/Release'), { recursive: true })
  const files = [
    [process.execPath, 'node'],
    ...['addon.node', 'libpacked_rnn_cuda.so'].map(name => [
      join(root, 'build/Release', name),
      join('build/Release', name),
    ]),
  ]
  for (const [from, to] of files) {
    if (!existsSync(from)) throw new Error(`no ${from}: run npm run build:addon and build:cuda first`)
    cpSync(from, join(staged, to), { dereference: true })
    if (basename(to) !== 'node') execFileSync('strip', ['--strip-unneeded', join(staged, to)])
  }
  const env = { ...process.env, XZ_OPT: '-6 -T2' }
  execFileSync('tar', ['-cJf', join(bundle, 'binaries.tar.xz'), '-C', staged, '.'], { env })
  rmSync(staged, { recursive: true })
}

function sizeOf(folder) {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map(name => statSync(join(folder, name)))
    .reduce((sum, stat) => sum + (stat.isFile() ? stat.size : 0), 0)
}

// Tests the package as a user installs it. Builds and checks the prebuilds and the tarball. Installs it in an empty folder with an
// empty npm cache, no compiler and no install scripts, and checks the README's promises there.
// npm run test:package [-- --long] [-- --out FOLDER]
//
//   --long  also compiles the addon from the installed sources, with `packed-rnn build` and with node-gyp
//   --out   the folder for the tarball
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { BareMachine, which } from './package/bare.js'
import { testFromSource, testWithoutPrebuild } from './package/fromSource.js'
import { installNode, NODE_VERSIONS } from './package/nodes.js'
import { pack } from './package/pack.js'

const EMULATED = { Haswell: 'avx2', Nehalem: 'portable' }
const { values: options } = parseArgs({
  options: { long: { type: 'boolean', default: false }, out: { type: 'string' } },
})
const root = join(import.meta.dirname, '..')
const folder = mkdtempSync(join(tmpdir(), 'packed-rnn-package-'))
try {
  testPackage()
} finally {
  rmSync(folder, { recursive: true })
}

function testPackage() {
  local('npm', ['run', '--silent', 'prebuild'])
  local(process.execPath, ['scripts/check-prebuilds.js'])
  const tarball = pack(options.out ?? folder)
  say(`${basename(tarball.file)}: ${(tarball.bytes / 1e6).toFixed(1)} MB, ${tarball.files} files`)
  local('npx', ['publint', 'run', '--strict', tarball.file])
  local('npx', ['attw', '--profile', 'esm-only', '--quiet', tarball.file])
  say('publint and attw find no fault')

  const bare = new BareMachine(folder)
  cpSync(join(import.meta.dirname, 'package/step.js'), join(bare.project, 'step.mjs'))
  const prebuilt = { PREBUILDS_ONLY: '1' }
  const begun = Date.now()
  bare.run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', tarball.file])
  const installed = Date.now()
  const first = Number(/first step (\d+)/.exec(bare.run('node', ['step.mjs'], prebuilt))[1])
  const seconds = (from, to) => ((to - from) / 1000).toFixed(1)
  say(
    `from npm install to the first training step: ${seconds(begun, first)} s, npm's share ${seconds(begun, installed)} s`,
  )

  testSurface(bare, prebuilt)
  const binaries = [['this CPU', 'node', []]]
  if (which('qemu-x86_64') === null) say('no qemu-x86_64: older CPUs are not tested')
  else
    for (const cpu of Object.keys(EMULATED))
      binaries.push([cpu, which('qemu-x86_64'), ['-cpu', cpu, process.execPath]])
  for (const [name, command, words] of binaries) {
    const got = /instructions (\w+)/.exec(bare.run(command, [...words, 'step.mjs'], prebuilt))[1]
    if (EMULATED[name] !== undefined && got !== EMULATED[name])
      throw new Error(`${name}: wanted ${EMULATED[name]}, got ${got}`)
    say(`a training step on ${name}: ${got}`)
  }
  testNodes(bare, prebuilt)
  testWithoutPrebuild(bare, say)
  if (options.long) testFromSource(bare, say)
}

function testNodes(bare, env) {
  for (const version of NODE_VERSIONS) {
    const node = installNode(version, folder)
    bare.run(node, ['step.mjs'], env)
    bare.run(node, ['require.cjs'], env)
    say(`import, require() and a training step on Node ${bare.run(node, ['--version']).trim()}`)
  }
}

/** Tests import, require() and the commands. */
function testSurface(bare, env) {
  const require = `const { nn, packSequence } = require('packed-rnn')
if (typeof nn.LSTM !== 'function' || typeof packSequence !== 'function') throw new Error('wanted the public names')
`
  writeFileSync(join(bare.project, 'require.cjs'), require)
  bare.run('node', ['require.cjs'], env)
  say('import and require() work')
  const command = (...words) => bare.run('npx', ['packed-rnn', ...words], env)

  const { addon, devices } = JSON.parse(command('doctor', '--json'))
  const loaded = addon.attempts.at(-1)
  if (loaded?.result !== 'loaded' || !loaded.path.includes(join('packed-rnn', 'prebuilds')))
    throw new Error(`doctor: wanted the prebuilt addon, got ${JSON.stringify(addon)}`)
  for (const kind of ['cpu', 'cuda'])
    if (!devices.some(device => device.kind === kind)) throw new Error(`doctor: wanted an entry for ${kind}`)
  const tried = command('doctor')
    .split('\n')
    .filter(line => /^(addon|tried|device) /.test(line))
  say(tried.join('\n').replaceAll(bare.project, '.'))

  const report = command('train', ...['--preset', 'lstm64-adam', '--epochs', '1', '--quiet'])
  if (!/accuracy/.test(report)) throw new Error(`train: wanted a report, got ${report}`)
  say('npx packed-rnn train works')
  const bench = command('bench', '--quick', '--peers', 'none', '--cases', 'A', '--rounds', '1')
  if (!/ms/.test(bench)) throw new Error(`bench: wanted times, got ${bench}`)
  say('npx packed-rnn bench works')
  testDeviceBench(bare, env)
}

/** Tests `bench --device` on the CPU, and on the CUDA kernels compiled for the host. */
function testDeviceBench(bare, env) {
  local('npm', ['run', '--silent', 'build:cuda-on-host'])
  const library = join(root, 'build/host/libpacked_rnn_cuda_host.so')
  for (const [device, seconds, extra] of [
    ['cpu', '20', {}],
    ['cuda', '60', { PACKED_RNN_CUDA_LIBRARY: library }],
  ]) {
    // The larger shapes take too long: a part that runs out of time is not an error.
    const words = ['--device', device, '--seconds', seconds, '--documents', '3', '--out', device]
    bare.run('npx', ['packed-rnn', 'bench', ...words], { ...env, ...extra, PYTHON: '/nowhere/python3' })
    const results = JSON.parse(readFileSync(join(bare.project, device, 'results.json'), 'utf8'))
    const found = kind => results.filter(({ finding }) => finding === kind)
    const epochs = found('epoch').filter(({ seconds }) => seconds !== null)
    const checks = found('check').filter(({ error }) => error !== null)
    if (found('device')[0]?.name?.startsWith(device) !== true || epochs.length === 0 || checks.length === 0)
      throw new Error(
        `bench --device ${device}: wanted a device, checks and epochs, got ${JSON.stringify(results)}`,
      )
    for (const name of ['results.md', 'results.html'])
      if (!/An epoch/.test(readFileSync(join(bare.project, device, name), 'utf8')))
        throw new Error(`bench --device ${device}: wanted epochs in ${name}`)
    say(`npx packed-rnn bench --device ${device} works: ${checks.length} checks, ${epochs.length} epochs`)
  }
}

function local(command, words) {
  const { status } = spawnSync(command, words, { cwd: root, stdio: 'inherit' })
  if (status !== 0) throw new Error(`${[command, ...words].join(' ')}: wanted exit code 0, got ${status}`)
}

/** Prints a line with the seconds since the start. */
function say(text) {
  process.stdout.write(
    `${(performance.now() / 1000).toFixed(0).padStart(4)} s  ${text.replaceAll('\n', '\n        ')}\n`,
  )
}

// Counts launches, host waits, uploads, downloads and uploaded bytes of a training step on the CUDA stand-in: npm run trace:cuda.
// Runs the benchmark's cases on a few short articles. The counts do not depend on the number of articles; the bytes do.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const STEPS = 4
const file = process.env.PACKED_RNN_STANDIN_TRACE

if (file === undefined) {
  const build = spawnSync('npm', ['run', '--silent', 'build:cuda-on-host'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  if (build.status !== 0) process.exit(1)
  const folder = mkdtempSync(join(tmpdir(), 'packed-rnn-trace-'))
  const env = {
    ...process.env,
    PACKED_RNN_CUDA_LIBRARY: join(root, 'build', 'host', 'libpacked_rnn_cuda_host.so'),
    PACKED_RNN_STANDIN_TRACE: join(folder, 'trace'),
  }
  const { status } = spawnSync(process.execPath, [import.meta.filename], { cwd: root, env, stdio: 'inherit' })
  rmSync(folder, { recursive: true })
  process.exit(status ?? 1)
}

const library = await import('../dist/compat.js')
const { cases } = await import('../dist/bench/cases.js')
const { inventDocuments, renumbered } = await import('../dist/bench/documents.js')
const { makeModel } = await import('../dist/bench/model.js')
const { device, packSequence } = library

/** Counts the entries since the file was emptied. */
function counts() {
  const found = { launch: 0, wait: 0, upload: 0, download: 0, bytesUp: 0 }
  for (const line of readFileSync(file, 'utf8').split('\n').filter(Boolean)) {
    const [what, bytes] = line.split(' ')
    found[what]++
    if (what === 'upload') found.bytesUp += Number(bytes)
  }
  return found
}

const gpu = device('cuda')
const invented = inventDocuments(8)
const data = renumbered({ ...invented, documents: invented.documents.map(document => document.slice(0, 9)) })
process.stdout.write(
  '| | launches | host waits | uploads | downloads | bytes up |\n|---|---|---|---|---|---|\n',
)
for (const name of ['A', 'B', 'C']) {
  const model = makeModel(library, cases[name], gpu, data, 'final')
  const batch = { ids: packSequence(data.documents), labels: data.labels }
  for (let step = 1; step < STEPS; step++) model.step(batch).dispose()
  await gpu.synchronize()
  writeFileSync(file, '')
  await gpu.synchronize()
  const ofWaiting = counts()
  writeFileSync(file, '')
  model.step(batch).dispose()
  await gpu.synchronize()
  const all = counts()
  const of = what => all[what] - ofWaiting[what]
  process.stdout.write(
    `| ${name} | ${of('launch')} | ${of('wait')} | ${of('upload')} | ${of('download')} | ${of('bytesUp')} |\n`,
  )
}
process.exit(0)

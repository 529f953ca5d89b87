// Checks a tarball's list of files against the files that the package must have.
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..', '..')

const ALWAYS = [
  ...['package.json', 'README.md', 'CHANGELOG.md', 'LICENSE', 'CMakeLists.txt', 'binding.gyp'],
  ...['scripts/compile.js', 'scripts/keep-log.sh', 'bench/gnad-lengths.json'],
  ...['bench/peers/classifier.py', 'bench/peers/cuda_torch.py', 'bench/peers/onednn_lstm.cpp'],
  ...['bench/peers/torch_latency.py', 'bench/peers/torch_ops.py', 'bench/peers/torch_step.py'],
  ...['bench/peers/seq2seq.py', 'bench/peers/torch_seq2seq.py'],
]

/** The files that a tarball of this checkout should have: fixed ones, native sources in git, compiled and prebuilt files. */
export function wantedContents() {
  const native = execFileSync('git', ['ls-files', 'native'], { cwd: root, encoding: 'utf8' })
    .trim()
    .split('\n')
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  const compiled = sources
    .filter(name => name.endsWith('.ts'))
    .flatMap(name => endsOf(name).map(end => `dist/${name.replace(/\.ts$/, end)}`))
  const prebuilds = join(root, 'prebuilds')
  const binaries = existsSync(prebuilds)
    ? readdirSync(prebuilds, { recursive: true, encoding: 'utf8' }).filter(name => /\.(node|so)$/.test(name))
    : []
  return [...ALWAYS, ...native, ...compiled, ...binaries.map(name => `prebuilds/${name}`)]
}

/** The page's script is copied into pages and never imported, so it has no source map and no types. */
function endsOf(name) {
  return name === join('explain', 'browser', 'client.ts') ? ['.js'] : ['.js', '.js.map', '.d.ts']
}

/** The faults of a list of files, as sentences; empty if there are none. */
export function contentFaults(files, wanted) {
  return [
    ...wanted.filter(name => !files.includes(name)).map(name => `the package lacks ${name}`),
    ...files
      .filter(name => !wanted.includes(name))
      .map(name => `the package has ${name}, which is not needed`),
  ]
}

/** The faults of package.json. An install script, or the implicit one of a binding.gyp, fails offline. */
export function manifestFaults(manifest) {
  const scripts = ['preinstall', 'install', 'postinstall'].filter(
    name => manifest.scripts?.[name] !== undefined,
  )
  return [
    ...scripts.map(name => `package.json: wanted no script ${name}`),
    ...(manifest.gypfile === false ? [] : [`package.json: gypfile: wanted false, got ${manifest.gypfile}`]),
  ]
}

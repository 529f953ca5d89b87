// Checks that adding an op takes five files, and that none can be forgotten. For a commit that adds an op, it reverts each of
// the files in native and src in turn and expects the compiler or the linker to fail.
//
//   npm run test:five-files [-- COMMIT]
//
// The default is the commit that added src/ops/cumulative.ts. Tests, docs and generated files (src/contract) do not count.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const git = (...words) => execFileSync('git', words, { cwd: root, encoding: 'utf8' }).trim()

const commit = git(
  'rev-parse',
  process.argv[2] ?? git('log', '--diff-filter=A', '--format=%H', '-1', '--', 'src/ops/cumulative.ts'),
)
const files = git('diff', '--name-only', `${commit}^`, commit)
  .split('\n')
  .filter(file => /^(native|src)\//.test(file) && !file.startsWith('src/contract/'))
process.stdout.write(`${git('show', '--no-patch', '--format=%h %s', commit)}\n`)
for (const file of files) process.stdout.write(`  ${file}\n`)
if (files.length !== 5) throw new Error(`wanted five files in native and src, got ${files.length}`)

const tree = join(mkdtempSync(join(tmpdir(), 'five-files-')), 'tree')
git('worktree', 'add', '--detach', tree, commit)
const build = join(tree, 'build', 'host')
/** Commands that must succeed with all files. */
const checks = [
  ['npx', 'tsc', '--noEmit', '-p', 'tsconfig.json'],
  ['cmake', '--build', build, '--parallel', '2', '--target', 'packed_rnn_cpu'],
  ['cmake', '--build', build, '--parallel', '2', '--target', 'packed_rnn_cuda_host'],
]
const run = ([program, ...words]) => spawnSync(program, words, { cwd: tree, encoding: 'utf8' })

try {
  symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'))
  execFileSync('cmake', ['-S', join(tree, 'test', 'native'), '-B', build], { stdio: 'ignore' })
  for (const check of checks) {
    const { status, stdout, stderr } = run(check)
    if (status !== 0) throw new Error(`${check.join(' ')} fails with all files:\n${stdout}${stderr}`)
  }
  for (const file of files) leaveOut(file)
} finally {
  git('worktree', 'remove', '--force', tree)
}

/** Reverts the commit's change to a file and prints the first check that fails. */
function leaveOut(file) {
  const path = join(tree, file)
  const before = spawnSync('git', ['show', `${commit}^:${file}`], { cwd: root })
  if (before.status === 0) writeFileSync(path, before.stdout)
  else if (existsSync(path)) rmSync(path)
  for (const check of checks) {
    const { status, stdout, stderr } = run(check)
    if (status === 0) continue
    const [line = 'no message'] = `${stdout}\n${stderr}`
      .split('\n')
      .filter(text => /error|undefined reference|hidden symbol|isn't defined/.test(text))
    process.stdout.write(`without ${file}: ${line.replaceAll(`${tree}/`, '').slice(0, 200)}\n`)
    writeFileSync(path, git('show', `${commit}:${file}`))
    return
  }
  throw new Error(`without ${file} every check passes, so it could be forgotten`)
}

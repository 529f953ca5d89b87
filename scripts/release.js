// Makes a release: npm run release [-- --dry-run]
//
// Publishes the tarball that test:package has tested, with all binaries, from a clean commit, and tags that commit. --dry-run
// publishes and tags nothing, and prints what it would publish and tag.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { releaseFaults } from './package/changelog.js'

const root = join(import.meta.dirname, '..')
const { values: options } = parseArgs({ options: { 'dry-run': { type: 'boolean', default: false } } })
const dryRun = options['dry-run']
const { version, name } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))
const tag = `v${version}`

const faults = releaseFaults(version, lock.version, readFileSync(join(root, 'CHANGELOG.md'), 'utf8'))
if (read('git', 'status', '--porcelain') !== '') faults.push('wanted a clean working tree: see git status')
if (read('git', 'tag', '--list', tag) !== '') faults.push(`the tag ${tag} already exists`)
if (faults.length > 0) {
  process.stderr.write(`${faults.join('\n')}\n`)
  process.exit(1)
}

const folder = join(root, 'build', 'release')
rmSync(folder, { recursive: true, force: true })
mkdirSync(folder, { recursive: true })
run(process.execPath, 'scripts/test-package.js', '--out', folder)
run(process.execPath, 'scripts/check-prebuilds.js', '--complete')
const tarball = join(folder, `${name}-${version}.tgz`)
run(
  'npm',
  'publish',
  tarball,
  '--ignore-scripts',
  '--loglevel',
  'notice',
  '--access',
  'public',
  ...(dryRun ? ['--dry-run'] : []),
)
const message = `${name} ${version}`
if (dryRun)
  process.stdout.write(
    `would publish ${tarball} and tag ${read('git', 'rev-parse', 'HEAD')} as ${tag}: ${message}\n`,
  )
else {
  run('git', 'tag', '--annotate', tag, '--message', message)
  process.stdout.write(`published ${name} ${version}; now: git push origin ${tag}\n`)
}

function run(command, ...words) {
  const { status, error } = spawnSync(command, words, { cwd: root, stdio: 'inherit' })
  if (error) throw error
  if (status !== 0) process.exit(status ?? 1)
}

function read(command, ...words) {
  const { status, stdout, stderr } = spawnSync(command, words, { cwd: root, encoding: 'utf8' })
  if (status !== 0)
    throw new Error(`${[command, ...words].join(' ')}: wanted exit code 0, got ${status}\n${stderr}`)
  return stdout.trim()
}

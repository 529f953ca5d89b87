// Makes the package's tarball and checks its contents.
import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { contentFaults, manifestFaults, wantedContents } from './contents.js'

const MOST_BYTES = 100e6
const root = join(import.meta.dirname, '..', '..')

/**
 * Compiles src into an empty dist, and packs it with the files in prebuilds. It runs no scripts, because `prepare` would
 * build the addon again.
 *
 * @returns the tarball's file in `folder`, its size in bytes and its number of files.
 */
export function pack(folder) {
  rmSync(join(root, 'dist'), { recursive: true, force: true })
  execFileSync('npm', ['run', '--silent', 'build:ts'], { cwd: root, stdio: 'inherit' })
  const words = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder]
  const told = execFileSync('npm', words, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 })
  const [{ filename, size, files }] = JSON.parse(told)
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const faults = [
    ...manifestFaults(manifest),
    ...contentFaults(
      files.map(({ path }) => path),
      wantedContents(),
    ),
    ...(size > MOST_BYTES ? [`wanted ${MOST_BYTES} bytes at most, got ${size}`] : []),
  ]
  if (faults.length > 0) throw new Error(`the package has faults:\n${faults.join('\n')}`)
  return { file: join(folder, filename), bytes: size, files: files.length }
}

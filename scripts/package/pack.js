// Makes the package's tarball and checks what is in it.
import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { contentFaults, manifestFaults, wantedContents } from './contents.js'

const MOST_BYTES = 100e6
const root = join(import.meta.dirname, '..', '..')

/**
 * Compiles src anew, so that nothing old is left in dist, and packs it with what stands in prebuilds: without scripts, for
 * `prepare` would build the addon once more.
 *
 * @returns its file, in `folder`, and its bytes.
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
  if (faults.length > 0) throw new Error(`the package is not what it should be:\n${faults.join('\n')}`)
  return { file: join(folder, filename), bytes: size, files: files.length }
}

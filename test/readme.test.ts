import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc')

test('the examples of the README compile and run as they stand', () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  const examples = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code!)
  expect(examples.length).toBeGreaterThan(1)
  // Inside the package, so that its own name resolves to what is built.
  const folder = join(root, 'build', 'readme')
  mkdirSync(folder, { recursive: true })
  try {
    const files = examples.map((_code, i) => join(folder, `example${i}.mts`))
    files.forEach((file, i) => {
      writeFileSync(file, examples[i]!)
    })
    const options = [
      '--strict',
      '--module',
      'nodenext',
      '--target',
      'es2023',
      '--lib',
      'es2023,esnext.disposable',
    ]
    execFileSync(process.execPath, [compiler, ...options, '--types', 'node', '--skipLibCheck', ...files])
    for (const file of files) {
      const output = execFileSync(process.execPath, [file.replace(/\.mts$/, '.mjs')], { encoding: 'utf8' })
      expect(output).not.toBe('')
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

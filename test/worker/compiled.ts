import { mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import ts from 'typescript'

/**
 * The package as JavaScript, in a separate folder: workers and child processes of these tests run in plain Node,
 * which reads no TypeScript, and `dist` may be older than `src`.
 *
 * @param folders of sources, and where each goes; by default the package as it is installed.
 * @returns the folder, with `dist/` in it; the caller removes it.
 */
export function compiledPackage(folders: Record<string, string> = { src: 'dist' }): string {
  const root = fileURLToPath(new URL('../..', import.meta.url))
  const folder = mkdtempSync(join(tmpdir(), 'packed-rnn-'))
  for (const name of ['package.json', 'node_modules', 'build'])
    symlinkSync(join(root, name), join(folder, name))
  const options = { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext }
  for (const [from, to] of Object.entries(folders)) {
    for (const name of readdirSync(join(root, from), { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.ts')) continue
      const source = readFileSync(join(root, from, name), 'utf8')
      const { outputText } = ts.transpileModule(source, { compilerOptions: options })
      const target = join(folder, to, name.replace(/\.ts$/, '.js'))
      mkdirSync(dirname(target), { recursive: true })
      writeFileSync(target, outputText)
    }
  }
  return folder
}

/** A line of JavaScript: `load(name)` imports a module of that package, as in `await load('ops/linear.js')`. */
export function loader(folder: string): string {
  const dist = pathToFileURL(join(folder, 'dist/')).href
  return `const load = name => import(new URL(name, ${JSON.stringify(dist)}))`
}

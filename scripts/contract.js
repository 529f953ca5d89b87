// Generates the TypeScript of the native ops, src/contract, from their descriptions in native/ops. --check only compares.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const folder = join(root, 'src', 'contract')

function generated() {
  const build = mkdtempSync(join(tmpdir(), 'contract-'))
  try {
    const program = join(build, 'generate')
    const source = join(root, 'scripts', 'contract', 'generate.cpp')
    const compiler = process.env.CXX ?? 'c++'
    execFileSync(compiler, ['-std=c++20', '-I', join(root, 'native'), source, '-o', program], {
      stdio: 'inherit',
    })
    const files = new Map()
    for (const part of execFileSync(program, { encoding: 'utf8' }).split('=== ').slice(1)) {
      const end = part.indexOf('\n')
      const name = part.slice(0, end)
      writeFileSync(join(build, name), part.slice(end + 1))
      const formatted = ['biome', 'check', '--write', '--unsafe', '--stdin-file-path', `src/contract/${name}`]
      files.set(
        name,
        execFileSync('npx', formatted, { cwd: root, input: part.slice(end + 1), encoding: 'utf8' }),
      )
    }
    return files
  } finally {
    rmSync(build, { recursive: true })
  }
}

const files = generated()
if (process.argv.includes('--check')) {
  const there = readdirSync(folder)
  const stale = [...files].filter(([name, text]) => {
    return !there.includes(name) || readFileSync(join(folder, name), 'utf8') !== text
  })
  const wrong = [...stale.map(([name]) => name), ...there.filter(name => !files.has(name))]
  if (wrong.length > 0) {
    throw new Error(`src/contract is out of date: ${wrong.join(', ')}; run npm run generate`)
  }
  process.stdout.write(`${files.size} files of src/contract are up to date\n`)
} else {
  for (const [name, text] of files) writeFileSync(join(folder, name), text)
}

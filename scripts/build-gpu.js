// Writes to build/gpu everything that `node bench/gpu.js` needs on a machine with a GPU, Node and nothing else: the device
// suite and its imports, with a runner instead of vitest; the driver; and the commit of the code.
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const target = join(root, 'build', 'gpu')

execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.gpu.json'], {
  cwd: root,
  stdio: 'inherit',
})
cpSync(join(root, 'test/fixtures'), join(target, 'test/fixtures'), {
  recursive: true,
  filter: source => !source.endsWith('.py'),
})
write('package.json', { name: 'packed-rnn-suite', private: true, type: 'module' })

// Node looks in the nearest node_modules first, so it finds this `vitest` here and all other packages further out.
const shim = join(target, 'node_modules/vitest')
rmSync(shim, { recursive: true, force: true })
mkdirSync(shim, { recursive: true })
write('node_modules/vitest/package.json', { name: 'vitest', type: 'module', exports: './index.js' })
writeFileSync(join(shim, 'index.js'), "export * from '../../test/plain/vitest.js'\n")

// The suite loads the addon from the build folder beside src.
const addon = join(target, 'build/Release')
if (!existsSync(addon)) {
  mkdirSync(join(target, 'build'), { recursive: true })
  rmSync(addon, { force: true })
  symlinkSync('../../Release', addon)
}

// The driver, which opens the library without Node.
for (const command of [
  ['-S', 'test/native', '-B', 'build/host'],
  ['--build', 'build/host', '--target', 'driver'],
]) {
  execFileSync('cmake', command, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] })
}
cpSync(join(root, 'build/host/driver'), join(target, 'driver'))

// Returns null in a tarball, which has no git history.
const git = (...args) => {
  try {
    return execFileSync('git', args, {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    return null
  }
}
const changes = git('status', '--porcelain', '--untracked-files=no')
write('code.json', {
  commit: git('rev-parse', 'HEAD'),
  date: git('log', '-1', '--format=%cI'),
  changed: changes === null ? null : changes !== '',
})

function write(name, value) {
  writeFileSync(join(target, name), `${JSON.stringify(value, null, 2)}\n`)
}

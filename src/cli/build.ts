import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Failure, noPositionals, parse } from './options.js'

export const usage = `packed-rnn build

Compiles the native addon from the sources in the installed package, for a platform without a prebuilt one, and installs it
in the folder that is searched first. Needs a C++20 compiler and cmake, and no network. Builds the CPU backend only; the
CUDA library is prebuilt, or built in a checkout.`

const root = fileURLToPath(new URL('../..', import.meta.url))
const require = createRequire(import.meta.url)

/** What is spelled in C++20 alone, and used here. */
const PROGRAM =
  '#include <bit>\n#include <span>\nint main() { return std::popcount(7u) + int(std::span<int>{}.size()); }\n'

export async function execute(args: string[]): Promise<void> {
  noPositionals(parse(args, {}).positionals)
  const missing = whatIsMissing()
  if (missing.length > 0) {
    const list = missing.map(line => `  - ${line}\n`).join('')
    throw new Failure(`cannot compile the addon, because of what is missing:\n${list}${advice()}`)
  }
  const folder = join(root, 'build', 'Release')
  const { status } = spawnSync(process.execPath, [join(root, 'scripts', 'compile.js'), folder], {
    stdio: 'inherit',
  })
  if (status !== 0) throw new Failure(`the addon does not compile: cmake ended with ${status}`)
  // Not at the top: it loads the addon, which was not there.
  const { instructionSets } = await import('../device.js')
  const file = join(folder, 'addon.node')
  const size = (statSync(file).size / 2 ** 20).toFixed(1)
  process.stdout.write(`${file}: ${size} MiB, loads; this CPU supports ${instructionSets().join(', ')}\n`)
}

function whatIsMissing(): string[] {
  return [compiler(), cmake(), makeProgram(), ...headers(), ...sources()].filter(line => line !== null)
}

function compiler(): string | null {
  // What CMake tries, in its order.
  const candidates = process.env.CXX ? [process.env.CXX] : ['c++', 'g++', 'clang++']
  const words = ['-std=c++20', '-fsyntax-only', '-x', 'c++', '-']
  const found = candidates.filter(name => runs(name, ['--version']))
  if (found.length === 0) return `a C++20 compiler: found none of ${candidates.join(', ')}`
  const works = found.some(name => spawnSync(name, words, { input: PROGRAM }).status === 0)
  return works ? null : `a C++20 compiler: ${found.join(' and ')} cannot compile C++20`
}

function cmake(): string | null {
  const definition = join(root, 'CMakeLists.txt')
  if (!existsSync(definition)) return null
  const wanted = /VERSION (\d+)\.(\d+)/.exec(readFileSync(definition, 'utf8'))
  const { status, stdout } = spawnSync('cmake', ['--version'], { encoding: 'utf8' })
  const name = `cmake ${wanted?.[1]}.${wanted?.[2]} or later`
  if (status !== 0) return `${name}: found none`
  const got = /version (\d+)\.(\d+)/.exec(stdout)
  const number = (match: RegExpExecArray | null) => Number(match?.[1]) * 1000 + Number(match?.[2])
  return number(got) >= number(wanted) ? null : `${name}: got ${stdout.split('\n', 1)[0]}`
}

function makeProgram(): string | null {
  const named = process.env.CMAKE_GENERATOR !== undefined
  return named || runs('make', ['--version'])
    ? null
    : 'make, which cmake calls (or CMAKE_GENERATOR=Ninja and ninja)'
}

/** These come with the package. */
function headers(): string[] {
  return ['node-addon-api', 'node-api-headers']
    .filter(name => {
      try {
        require.resolve(`${name}/package.json`)
        return false
      } catch {
        return true
      }
    })
    .map(name => `the headers of ${name}: npm install ${name}`)
}

function sources(): string[] {
  const lacking = ['CMakeLists.txt', 'native', 'scripts/compile.js'].filter(
    name => !existsSync(join(root, name)),
  )
  const lines = lacking.map(name => `${join(root, name)}: install packed-rnn again`)
  try {
    accessSync(root, constants.W_OK)
  } catch {
    lines.push(`the permission to write to ${root}`)
  }
  return lines
}

function runs(name: string, words: string[]): boolean {
  return spawnSync(name, words, { stdio: 'ignore' }).status === 0
}

function advice(): string {
  if (process.platform === 'darwin') return 'On macOS: xcode-select --install, brew install cmake'
  return 'On Debian and Ubuntu: apt-get install g++ make cmake; on Alpine: apk add g++ make cmake'
}

// Simulates a machine without this project's tools: an empty folder, an empty npm cache, and a PATH with only Node, npm
// and a shell.
import { spawnSync } from 'node:child_process'
import { mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Compilers and build tools, which must not be found. */
const TOOLS = [
  'cc',
  'gcc',
  'c++',
  'g++',
  'clang',
  'clang++',
  'make',
  'ninja',
  'cmake',
  'python',
  'python3',
  'nvcc',
]
const MINUTES = 10

export class BareMachine {
  /** @param folder empty, and removed by the caller */
  constructor(folder) {
    this.project = join(folder, 'project')
    const programs = join(folder, 'bin')
    for (const path of [this.project, programs]) mkdirSync(path)
    symlinkSync(process.execPath, join(programs, 'node'))
    for (const name of ['npm', 'npx', 'sh']) symlinkSync(realpathSync(which(name)), join(programs, name))
    // npm puts its own options into the environment.
    const kept = Object.entries(process.env).filter(
      ([name]) => !/^(npm_|PACKED_RNN_|CC$|CXX$|NODE_)/i.test(name),
    )
    this.env = { ...Object.fromEntries(kept), PATH: programs, npm_config_cache: join(folder, 'cache') }
    const tools = TOOLS.filter(
      name => spawnSync('sh', ['-c', `command -v ${name}`], { env: this.env }).status === 0,
    )
    if (tools.length > 0)
      throw new Error(`the PATH of a bare machine: wanted no compiler, got ${tools.join(', ')}`)
    writeFileSync(join(this.project, 'package.json'), '{ "private": true }\n')
  }

  /** Runs a command in the project, or in `cwd`, and returns its stdout. Throws if it fails. */
  run(command, words, env = {}, cwd = this.project) {
    const { status, stdout, stderr } = this.#spawn(command, words, env, cwd)
    if (status !== 0)
      throw new Error(
        `${[command, ...words].join(' ')}: wanted exit code 0, got ${status}\n${stdout}${stderr}`,
      )
    return stdout
  }

  /** Runs a command that must fail, and returns its stderr. */
  fails(command, words) {
    const { status, stderr } = this.#spawn(command, words, {}, this.project)
    if (status !== 1) throw new Error(`${[command, ...words].join(' ')}: wanted exit code 1, got ${status}`)
    return stderr
  }

  #spawn(command, words, env, cwd) {
    const options = {
      cwd,
      env: { ...this.env, ...env },
      encoding: 'utf8',
      timeout: MINUTES * 60_000,
      maxBuffer: 1 << 26,
    }
    const result = spawnSync(command, words, options)
    if (result.error) throw result.error
    return result
  }
}

/** @returns the path of a program on this machine, or null if there is none. */
export function which(name) {
  const { status, stdout } = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' })
  return status === 0 ? stdout.trim() : null
}

/** An environment with the bare PATH followed by this machine's. */
export function withTools({ env }) {
  return { PATH: [env.PATH, process.env.PATH].join(delimiter) }
}

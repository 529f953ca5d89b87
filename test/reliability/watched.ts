import { spawn } from 'node:child_process'

/** How a process ended that prints a line before each thing that it does. */
export interface Watched {
  /** `''` after a good end; else how it went wrong, and what it was doing. */
  trouble: string
  /** The last line. */
  last: string
}

/** Runs a module in a separate process. If it prints nothing for `quiet` seconds, it hangs and is killed. */
export function watch(
  file: string,
  args: readonly (string | number)[],
  env: Record<string, string> = {},
  quiet = 60,
): Promise<Watched> {
  const child = spawn(process.execPath, ['--expose-gc', file, ...args.map(String)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  })
  let [line, last, errors] = ['', '', '']
  let hangs = false
  const kill = () => {
    hangs = true
    child.kill('SIGKILL')
  }
  let timer = setTimeout(kill, quiet * 1000)
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    clearTimeout(timer)
    timer = setTimeout(kill, quiet * 1000)
    const lines = (line + text).split('\n')
    line = lines.pop() ?? ''
    last = lines.at(-1) ?? last
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-8000)
  })
  return new Promise(resolve => {
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      const end = hangs ? `hangs for ${quiet} s` : (signal ?? `exit code ${code}`)
      const trouble = code === 0 ? '' : `${args.join(' ')}: ${end}, at ${last}\n${errors}`
      resolve({ trouble, last })
    })
  })
}

import { spawn } from 'node:child_process'

/** How a process ended. */
export interface Ending {
  code: number | null
  signal: NodeJS.Signals | null
  /** Whether it was killed because its time was over. */
  late: boolean
  /** The error if it did not start. */
  error: string | null
}

/**
 * Runs a program in its own process group. The group is killed when its time has passed, when `signal` aborts, when this process's
 * parent has ended, and when the program has ended, so none of its processes keeps running.
 *
 * @param output a file descriptor for its output; default this process's.
 */
export function runChild(
  [program, ...args]: readonly string[],
  options: { seconds: number; env?: NodeJS.ProcessEnv; cwd?: string; output?: number; signal?: AbortSignal },
): Promise<Ending> {
  const { seconds, env, cwd, output = 1, signal } = options
  return new Promise(resolve => {
    const child = spawn(program!, args, {
      env: { ...process.env, ...env },
      ...(cwd !== undefined && { cwd }),
      stdio: ['ignore', output, output === 1 ? 2 : output],
      detached: true,
    })
    let late = false
    const kill = () => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
      } catch {
        // The whole group has ended.
      }
    }
    const timer = setTimeout(() => {
      late = true
      kill()
    }, seconds * 1000)
    const parent = process.ppid
    const watch = setInterval(() => {
      if (process.ppid !== parent) kill()
    }, 250)
    signal?.addEventListener('abort', kill, { once: true })
    const end = (ending: Omit<Ending, 'late'>) => {
      clearTimeout(timer)
      clearInterval(watch)
      signal?.removeEventListener('abort', kill)
      kill()
      resolve({ ...ending, late })
    }
    child.on('error', ({ message }) => end({ code: null, signal: null, error: message }))
    child.on('exit', (code, by) => end({ code, signal: by, error: null }))
  })
}

import { spawn } from 'node:child_process'

/** How a process ended. */
export interface Ending {
  code: number | null
  signal: NodeJS.Signals | null
  /** It was killed because its time was over. */
  late: boolean
  /** Why it did not start. */
  error: string | null
}

/**
 * Runs a program in a process group of its own, which is killed when its time is over, when `signal` says so, when this process's parent
 * is gone, and when the program has ended: nothing of it runs on.
 *
 * @param output a file descriptor for what it writes; default this process's.
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
        // All of it has ended.
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

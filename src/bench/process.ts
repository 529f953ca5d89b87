import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { TICKS } from './machine.js'

/** A process did not answer, or answered with an error. */
export class ProcessFailure extends Error {
  readonly process: BenchProcess

  constructor(process: BenchProcess, message: string) {
    super(`${process.name}: ${message}`)
    this.process = process
  }
}

/**
 * A process that is measured. It reports when it is ready and answers each request line with one JSON object.
 */
export class BenchProcess {
  readonly name: string
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>
  /** CPU time at its last answer, and the CPU time used between answers and requests. */
  #answeredAt: number | null = null
  #idleSeconds = 0
  readonly #kill = () => this.#child.kill('SIGKILL')

  constructor(name: string, command: string, args: string[], env: NodeJS.ProcessEnv = process.env) {
    this.name = name
    const child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'inherit'] })
    // Errors of a process that died or did not start are reported by `answer`.
    child.stdin.on('error', () => {})
    const lines = createInterface({ input: child.stdout })
    child.on('error', () => lines.close())
    this.#child = child
    this.#lines = lines[Symbol.asyncIterator]()
    process.once('exit', this.#kill)
  }

  /** @throws ProcessFailure (rejects) if it does not answer in time, or answers with an error. */
  ask(question: string, seconds = 600): Promise<Answer> {
    const used = this.cpuSeconds()
    if (used !== null && this.#answeredAt !== null) this.#idleSeconds += used - this.#answeredAt
    this.#child.stdin?.write(`${question}\n`)
    return this.answer(seconds)
  }

  /** Reads its next line. */
  async answer(seconds = 600): Promise<Answer> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.#kill()
        reject(new ProcessFailure(this, `no answer in ${seconds} seconds`))
      }, seconds * 1000)
    })
    try {
      const { value, done } = await Promise.race([late, this.#lines.next()])
      if (done === true) throw new ProcessFailure(this, `its process ended${await this.#ending()}`)
      this.#answeredAt = this.cpuSeconds()
      const answer = new Answer(this.name, JSON.parse(value))
      const error = answer.optional('error')
      if (error !== undefined) throw new ProcessFailure(this, String(error))
      return answer
    } finally {
      clearTimeout(timer)
    }
  }

  /** The exit code or signal, or that it did not start. */
  async #ending(): Promise<string> {
    const { pid, exitCode, signalCode } = this.#child
    if (pid === undefined) return ': it did not start'
    if (exitCode === null && signalCode === null) await once(this.#child, 'exit')
    return `, ${this.#child.signalCode ?? `exit code ${this.#child.exitCode}`}`
  }

  /** CPU time that it used between requests. Spinning threads show here. */
  get idleSeconds(): number {
    return this.#idleSeconds
  }

  /** Its peak memory, as Linux counts it; null on other systems. */
  get peakBytes(): number | null {
    const found = /^VmHWM:\s+(\d+) kB/m.exec(this.#proc('status') ?? '')
    return found === null ? null : Number(found[1]) * 1024
  }

  /** CPU time that it has used; null if Linux does not provide it. */
  cpuSeconds(): number | null {
    // After the name, which may contain spaces: state is the first field, utime and stime are the 12th and 13th.
    const fields = this.#proc('stat')?.split(') ')[1]?.split(' ')
    return fields === undefined ? null : (Number(fields[11]) + Number(fields[12])) / TICKS
  }

  #proc(name: string): string | null {
    try {
      return readFileSync(`/proc/${this.#child.pid}/${name}`, 'utf8')
    } catch {
      return null
    }
  }

  /** Ends the process. Resolves when it has ended. */
  async close(): Promise<void> {
    process.off('exit', this.#kill)
    const { exitCode, signalCode, pid } = this.#child
    if (pid === undefined || exitCode !== null || signalCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.stdin?.end()
    const timer = setTimeout(this.#kill, 2000)
    await ended
    clearTimeout(timer)
  }
}

/** A process's answer. Fields are checked when they are read. */
export class Answer {
  readonly #who: string
  readonly value: unknown

  constructor(who: string, value: unknown) {
    this.#who = who
    this.value = value
  }

  optional(name: string): unknown {
    return typeof this.value === 'object' && this.value !== null ? Reflect.get(this.value, name) : undefined
  }

  /** The fields. */
  names(): string[] {
    return typeof this.value === 'object' && this.value !== null ? Object.keys(this.value) : []
  }

  number(name: string): number {
    const value = this.optional(name)
    if (typeof value !== 'number') throw new Error(`${this.#who}: ${name}: wanted a number, got ${value}`)
    return value
  }

  numbers(name: string): number[] {
    const value = this.optional(name)
    if (!Array.isArray(value) || !value.every(v => typeof v === 'number')) {
      throw new Error(`${this.#who}: ${name}: wanted numbers, got ${value}`)
    }
    return value
  }

  /** Lists of numbers. */
  lists(name: string): number[][] {
    const value = this.optional(name)
    const isList = (list: unknown) => Array.isArray(list) && list.every(v => typeof v === 'number')
    if (!Array.isArray(value) || !value.every(isList)) {
      throw new Error(`${this.#who}: ${name}: wanted lists of numbers, got ${value}`)
    }
    return value
  }

  text(name: string): string {
    const value = this.optional(name)
    if (typeof value !== 'string') throw new Error(`${this.#who}: ${name}: wanted a string, got ${value}`)
    return value
  }
}

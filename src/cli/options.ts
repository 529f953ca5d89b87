import { parseArgs } from 'node:util'
import { PackedRnnError } from '../errors.js'

type Options = Record<string, { type: 'string' | 'boolean'; default?: string | boolean }>

/** What went wrong, in a message that is all that a person needs. */
export class Failure extends Error {}

/** A command line that cannot be understood; the usage helps. */
export class UsageError extends Failure {}

/** `parseArgs` whose complaints are usage errors. */
export function parse<T extends Options>(
  args: string[],
  options: T,
): ReturnType<typeof parseArgs<{ args: string[]; options: T; allowPositionals: true; strict: true }>> {
  try {
    return parseArgs({ args, options, allowPositionals: true, strict: true })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

/** A number given as text, or the default where there is none. */
export function numberOption(name: string, text: string | undefined, fallback: number, low: number): number {
  if (text === undefined) return fallback
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value) || value < low) {
    throw new UsageError(`--${name}: wanted a number of at least ${low}, got ${text}`)
  }
  return value
}

/** A whole number given as text, or the default where there is none. */
export function integerOption(name: string, text: string | undefined, fallback: number, low: number): number {
  const value = numberOption(name, text, fallback, low)
  if (!Number.isSafeInteger(value)) throw new UsageError(`--${name}: wanted a whole number, got ${text}`)
  return value
}

/** A whole number given as text, undefined where there is none. */
export function optionalInteger(name: string, text: string | undefined, low: number): number | undefined {
  return text === undefined ? undefined : integerOption(name, text, low, low)
}

/** One of some words, the first where none is given. */
export function choiceOption<T extends string>(
  name: string,
  text: string | undefined,
  choices: readonly [T, ...T[]],
): T {
  const found = text === undefined ? choices[0] : choices.find(choice => choice === text)
  if (found === undefined) throw new UsageError(`--${name}: wanted ${choices.join(' or ')}, got ${text}`)
  return found
}

/** For a command that takes options alone. */
export function noPositionals(positionals: string[]): void {
  if (positionals[0] !== undefined) throw new UsageError(`wanted options alone, got ${positionals[0]}`)
}

/** The one positional argument, or a usage error. */
export function onePositional(what: string, positionals: string[]): string {
  const [first, ...rest] = positionals
  if (first === undefined || rest.length > 0)
    throw new UsageError(`wanted ${what}, got ${positionals.length} arguments`)
  return first
}

/** What a person reads of an error: the message alone where it is one of ours. */
export function describe(error: unknown): string {
  if (error instanceof PackedRnnError || error instanceof Failure) return error.message
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

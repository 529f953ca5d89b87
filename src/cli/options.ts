import { parseArgs } from 'node:util'
import { PackedRnnError } from '../errors.js'

/** What went wrong, in a message that is all that a person needs. */
export class Failure extends Error {}

/** A command line that cannot be understood; the usage helps. */
export class UsageError extends Failure {}

/**
 * An option, described once: its usage, how it is parsed and what is checked all come from here.
 */
export interface Option<T> {
  /** What stands behind its name in the usage; null for a switch. */
  value: string | null
  help: string
  /** Whether it names a file, which a stored command line holds with its whole path. */
  isFile?: boolean
  /** What an option without a value stands for, where one may be left out. */
  alone?: string
  /** Another option without which it makes no sense. */
  needs?: string
  /** Its value, from the text that was given. @throws UsageError naming the option. */
  read(name: string, given: string | boolean): T
}

/** The options of a command, by name. */
export type OptionTable = Readonly<Record<string, Option<unknown>>>

/** What was given, as text. */
export type Given = Record<string, string | boolean | undefined>

/** The values of a table's options; undefined where one was not given. */
export type ValuesOf<Table extends OptionTable> = {
  [Name in keyof Table]: ReturnType<Table[Name]['read']> | undefined
}

type About<T> = Partial<Pick<Option<T>, 'needs' | 'alone'>>

/** Any text. */
export function textOption(value: string, help: string, about: About<string> = {}): Option<string> {
  return { ...about, value, help, read: (_, given) => String(given) }
}

/** A file. */
export function fileOption(help: string, about: About<string> = {}): Option<string> {
  return { ...textOption('FILE', help, about), isFile: true }
}

/** A text that a function turns into a value, or throws for. */
export function parsedOption<T>(
  value: string,
  help: string,
  parse: (text: string) => T,
  about: About<T> = {},
): Option<T> {
  return { ...about, value, help, read: (_, given) => parse(String(given)) }
}

/** A number of at least `low`. */
export function numberOption(help: string, low: number, about: About<number> = {}): Option<number> {
  return { ...about, value: 'N', help, read: (name, given) => numberOf(name, String(given), low) }
}

/** A whole number of at least `low`. */
export function integerOption(help: string, low: number, about: About<number> = {}): Option<number> {
  return { ...about, value: 'N', help, read: (name, given) => integerOf(name, String(given), low) }
}

/** One of some words. */
export function choiceOption<T extends string>(
  help: string,
  choices: readonly T[],
  about: About<T> = {},
): Option<T> {
  return {
    ...about,
    value: 'NAME',
    help,
    read(name, given) {
      const found = choices.find(choice => choice === given)
      if (found === undefined) throw new UsageError(`--${name}: wanted ${choices.join(' or ')}, got ${given}`)
      return found
    },
  }
}

/** One that is there or not. */
export function switchOption(help: string, about: About<boolean> = {}): Option<boolean> {
  return { ...about, value: null, help, read: (_, given) => given === true }
}

function numberOf(name: string, text: string, low: number): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value) || value < low) {
    throw new UsageError(`--${name}: wanted a number of at least ${low}, got ${text}`)
  }
  return value
}

function integerOf(name: string, text: string, low: number): number {
  const value = numberOf(name, text, low)
  if (!Number.isSafeInteger(value)) throw new UsageError(`--${name}: wanted a whole number, got ${text}`)
  return value
}

/** A command line by a table. `given` holds the texts of `values`. */
export interface Parsed<Table extends OptionTable> {
  values: ValuesOf<Table>
  given: Given
  positionals: string[]
}

/**
 * @param partial leaves out the check of options that need others, for a command line that joins another one.
 * @throws UsageError for an unknown option or a bad value, or for one without the option that it needs.
 */
export function parse<Table extends OptionTable>(
  args: string[],
  table: Table,
  partial?: 'partial',
): Parsed<Table>
export function parse(args: string[], table: OptionTable, partial?: 'partial'): Parsed<OptionTable> {
  const { values: given, positionals } = parsed(args, table)
  const values: Record<string, unknown> = {}
  for (const [name, text] of Object.entries(given)) {
    if (text !== undefined) values[name] = table[name]!.read(name, text)
  }
  if (partial === undefined) checkNeeds(given, table)
  return { values, given, positionals }
}

/** @throws UsageError for an option without the one that it needs. */
export function checkNeeds(given: Given, table: OptionTable): void {
  for (const [name, { needs }] of Object.entries(table)) {
    if (given[name] !== undefined && needs !== undefined && given[needs] === undefined) {
      throw new UsageError(`--${name}: wanted --${needs} too`)
    }
  }
}

/** The words of a command line that belong to no option. @throws UsageError for an unknown option. */
export function positionalsOf(args: readonly string[], table: OptionTable): string[] {
  return parsed(args, table).positionals
}

function parsed(args: readonly string[], table: OptionTable): { values: Given; positionals: string[] } {
  const types = Object.entries(table).map(([name, { value }]) => {
    return [name, { type: value === null ? ('boolean' as const) : ('string' as const) }] as const
  })
  try {
    const options = Object.fromEntries(types)
    const all = { args: withValues(args, table), options, allowPositionals: true, strict: true }
    const { values, positionals } = parseArgs(all)
    return { values: { ...values }, positionals }
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

/** `parseArgs` knows no option whose value may be left out: what is not a number is not such a value. */
function withValues(args: readonly string[], table: OptionTable): string[] {
  return args.map((arg, i) => {
    const alone = arg.startsWith('--') ? table[arg.slice(2)]?.alone : undefined
    return alone === undefined || /^\d+$/.test(args[i + 1] ?? '') ? arg : `${arg}=${alone}`
  })
}

/** Where the help of an option begins. */
const COLUMN = 21

/** The lines of a usage that describe options. */
export function usageOf(table: OptionTable): string {
  return Object.entries(table)
    .map(([name, { value, help, alone }]) => {
      const shown = value === null ? '' : alone === undefined ? ` ${value}` : ` [${value}]`
      return entry(`--${name}${shown}`, help)
    })
    .join('\n')
}

/** One line of a usage, or several: a name and what it means. */
export function entry(name: string, help: string): string {
  const indent = ' '.repeat(COLUMN)
  const text = help.replaceAll('\n', `\n${indent}`)
  const head = `  ${name}`
  return head.length < COLUMN ? `${head.padEnd(COLUMN)}${text}` : `${head}\n${indent}${text}`
}

/** For a command that takes options alone. */
export function noPositionals(positionals: string[]): void {
  if (positionals[0] !== undefined) throw new UsageError(`wanted only options, got ${positionals[0]}`)
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

import { format } from 'node:util'

/** `describe` and `test` as vitest has them: what files declare is collected here, and run by `run.ts`. */

type Body = (...args: never[]) => unknown
type Options = number | { timeout?: number }
export type Hook = () => unknown

export interface Test {
  /** The groups that contain it, and its name. */
  path: string[]
  /** Why it does not run; null where it does. */
  skipped: string | null
  timeoutMs: number
  beforeEach: Hook[]
  afterEach: Hook[]
  /** `skip(reason)`, or `skip(whether, reason)`. */
  body(context: { skip(reason?: string | boolean, note?: string): void }): unknown
}

/** Thrown by `context.skip`. */
export class Skipped extends Error {}

interface Group {
  path: string[]
  skipped: string | null
  beforeEach: Hook[]
  afterEach: Hook[]
}

const TIMEOUT_MS = 180_000
const tests: Test[] = []
const beforeAllHooks: Hook[] = []
const afterAllHooks: Hook[] = []
let group: Group = { path: [], skipped: null, beforeEach: [], afterEach: [] }

export function collected(): { tests: Test[]; beforeAll: Hook[]; afterAll: Hook[] } {
  return { tests, beforeAll: beforeAllHooks, afterAll: afterAllHooks }
}

function declareTest(
  skipped: string | null,
  name: string,
  first: Body | Options,
  second?: Body | Options,
): void {
  const [body, options] =
    typeof first === 'function' ? [first, second as Options | undefined] : [second as Body, first]
  const timeoutMs = typeof options === 'object' ? options.timeout : options
  tests.push({
    path: [...group.path, name],
    skipped: group.skipped ?? skipped,
    timeoutMs: timeoutMs ?? TIMEOUT_MS,
    beforeEach: group.beforeEach,
    afterEach: group.afterEach,
    body: body as Test['body'],
  })
}

function declareGroup(skipped: string | null, name: string, first: Body | Options, second?: Body): void {
  const body = (typeof first === 'function' ? first : second) as () => unknown
  const outer = group
  group = {
    path: [...outer.path, name],
    skipped: outer.skipped ?? skipped,
    beforeEach: [...outer.beforeEach],
    afterEach: [...outer.afterEach],
  }
  try {
    if (body() instanceof Promise) throw new Error(`describe '${name}': wanted a function that is not async`)
  } finally {
    group = outer
  }
}

type Declare = (skipped: string | null, name: string, first: never, second?: never) => void

/** The forms that both have: plain, `.each`, `.for`, `.skip`, `.skipIf`, `.runIf`. */
function forms(declare: Declare) {
  const table =
    (skipped: string | null, bind: (body: Body, entry: unknown) => (context: unknown) => unknown) =>
    (cases: readonly unknown[]) =>
    (name: string, body: Body, options?: never): void => {
      for (const [i, entry] of cases.entries()) {
        const args = Array.isArray(entry) ? entry : [entry]
        declare(skipped, title(name, args, i), bind(body, entry) as never, options)
      }
    }
  const build = (skipped: string | null) =>
    Object.assign((name: string, first: never, second?: never) => declare(skipped, name, first, second), {
      // A row of several values is as many arguments to `each`, and one to `for`, which also passes the context.
      each: table(
        skipped,
        (body, entry) => () => body(...((Array.isArray(entry) ? entry : [entry]) as never[])),
      ),
      for: table(skipped, (body, entry) => context => body(entry as never, context as never)),
    })
  return Object.assign(build(null), {
    skip: build('skipped where it is declared'),
    skipIf: (condition: unknown) => build(condition ? 'skipped by its condition' : null),
    runIf: (condition: unknown) => build(condition ? null : 'skipped by its condition'),
  })
}

/** `%s` and other formats take the arguments in order, `$name` a property of the first, `%#` the index. */
function title(name: string, args: readonly unknown[], index: number): string {
  const holes = name.replaceAll('%#', String(index)).replaceAll(/\$([\w.]+)/g, (whole, path: string) => {
    let value: unknown = args[0]
    for (const part of path.split('.')) value = Object(value)[part]
    return value === undefined ? whole : String(value)
  })
  const wanted = holes.match(/%[sdifjoO]/g)?.length ?? 0
  return wanted === 0 ? holes : format(holes, ...args.slice(0, wanted))
}

export const test = forms(declareTest as Declare)
export const it = test
export const describe = forms(declareGroup as Declare)
export const beforeEach = (hook: Hook): unknown => group.beforeEach.push(hook)
export const afterEach = (hook: Hook): unknown => group.afterEach.push(hook)
export const beforeAll = (hook: Hook): unknown => beforeAllHooks.push(hook)
export const afterAll = (hook: Hook): unknown => afterAllHooks.push(hook)

import { tmpdir } from 'node:os'
import { join } from 'node:path'

type Given = Record<string, undefined>
/** What is called; the unknown option at its place, and the nearest one; the call with it. */
export type Row = [name: string, unknown: string, call: (given: Given) => unknown]

/** A file that is not there. */
export const absent = (name: string) => join(tmpdir(), 'packed-rnn-none', name)

/** A file that must not be there after the calls. */
export const UNWRITTEN = join(tmpdir(), 'packed-rnn-unwritten')

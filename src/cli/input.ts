import { addAbortSignal } from 'node:stream'
import { decodeText, readText } from '../files/read.js'

/** The text of a file, plain or .gz, piece by piece; of standard input where its name is -. */
export function readInput(file: string, signal: AbortSignal): AsyncGenerator<string> {
  if (file !== '-') return readText(file, signal)
  return decodeText(addAbortSignal(signal, process.stdin), 'standard input')
}

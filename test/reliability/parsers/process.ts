import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PackedRnnError } from '../../../src/errors.js'
import { Generator } from '../../../src/random.js'
import { mutate } from './mutate.js'
import { type Subject, subjects } from './subjects.js'

/**
 * `node process.js SEED INPUTS [SUBJECT INDEX]`: mutated files for each parser, or one of them again. A line on stdout before
 * each input; the last line counts what was read and rejected, and has the slowest input and the growth of memory.
 */

const [seed = '1', inputs = '1000', only, again] = process.argv.slice(2)
// Linux's folder in memory: a million files are no work for a disk.
const root = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'packed-rnn-parsers-'))
const tally: Record<string, { read: number; refused: number }> = {}
let slowest = { name: '', index: 0, milliseconds: 0 }

async function feed(name: string, subject: Subject, folder: string, index: number): Promise<void> {
  const { file, content, inMemory = false, read } = subject
  const mutated = mutate(content, new Generator(Number(seed), index))
  const path = join(folder, file)
  writeSync(1, `${name} ${index}\n`)
  // What is parsed from memory needs no file.
  if (!inMemory) writeFileSync(path, mutated)
  const counts = tally[name] ?? { read: 0, refused: 0 }
  tally[name] = counts
  const start = performance.now()
  try {
    await read(folder, mutated)
    counts.read++
  } catch (error) {
    const ours = error instanceof PackedRnnError
    if (!ours) throw error
    // Of two files that disagree, the one that was read second.
    const files = [file, ...Object.keys(subject.beside ?? {})]
    const named =
      ['ERR_FILE_FORMAT', 'ERR_EMPTY'].includes(error.code) &&
      files.some(each => error.message.includes(each))
    // A state of another model is rejected by the trainer, which knows no file.
    if (!named && name !== 'checkpoint')
      throw new Error('an error that does not name the file', { cause: error })
    counts.refused++
  }
  const milliseconds = performance.now() - start
  if (milliseconds > slowest.milliseconds) slowest = { name, index, milliseconds }
}

try {
  const before = process.resourceUsage().maxRSS
  for (const [name, subject] of Object.entries(subjects)) {
    if (only !== undefined && only !== name) continue
    const folder = join(root, name)
    mkdirSync(folder)
    writeFileSync(join(folder, subject.file), subject.content)
    for (const [file, content] of Object.entries(subject.beside ?? {}))
      writeFileSync(join(folder, file), content)
    // Unless the good file is read, the bad ones prove nothing.
    await subject.read(folder, subject.content)
    if (again !== undefined) await feed(name, subject, folder, Number(again))
    else {
      const count = Math.ceil((Number(inputs) * subject.share) / 1000)
      for (let index = 0; index < count; index++) await feed(name, subject, folder, index)
    }
  }
  const grownKiB = process.resourceUsage().maxRSS - before
  writeSync(1, `${JSON.stringify({ tally, slowest, grownKiB })}\n`)
} finally {
  rmSync(root, { recursive: true })
}

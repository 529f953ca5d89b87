import { checkInteger, checkNumber, checkOptions, type OptionNames } from '../check.js'
import { badArgument, badFile } from '../errors.js'
import { Generator } from '../random.js'
import { readRows } from '../text/csv.js'
import { fastaiTokens } from '../text/fastaiRules.js'
import { FastaiVocabulary, type FastaiVocabularyOptions } from '../text/fastaiVocabulary.js'
import type { Loader, LoaderEpoch } from '../training/loader.js'
import { joinedIds, StreamLoader, type Window } from './streams.js'

/** Options of `TextLMDataBunch`. */
export interface TextDataOptions extends FastaiVocabularyOptions {
  /** Parallel streams; default 64. */
  batchSize?: number
  /** Tokens of a window; default 70. */
  bptt?: number
  /** The share of the documents that are validated on, unless the table says which; default 0.2. */
  validPct?: number
  /** The seed of the validation documents and of the order of the training documents; default 0. */
  seed?: number
  /** A vocabulary to use; default that of the training documents. */
  vocabulary?: FastaiVocabulary
}

/** Options of `TextLMDataBunch.fromCsv`. */
export interface CsvTextOptions extends TextDataOptions {
  /** The name of the column of the text; default 'text', or the second column of a table without such a name. */
  textColumn?: string
  /** Stops reading; the promise then rejects with the signal's reason. */
  signal?: AbortSignal
}

const names: OptionNames<TextDataOptions> = {
  maxVocabulary: true,
  minFrequency: true,
  batchSize: true,
  bptt: true,
  validPct: true,
  seed: true,
  vocabulary: true,
}
const csvNames: OptionNames<CsvTextOptions> = { ...names, textColumn: true, signal: true }

/** A document, and whether it is one to validate on; undefined: the draw decides. */
interface Row {
  text: string
  isValid?: boolean
}

/**
 * The documents of a language model as fast.ai's `TextLMDataBunch`: cut by its rules, each with `xxbos` before it, and joined to
 * streams. The training documents come in another order in each epoch.
 *
 * @example
 * ```ts
 * import { TextLMDataBunch } from 'packed-rnn/tasks'
 *
 * const texts = Array.from({ length: 10 }, (_, i) => `The cat sat on mat number ${i}.`)
 * const data = TextLMDataBunch.fromTexts(texts, { batchSize: 2, bptt: 5 })
 * console.log(data.train.length, data.valid.length, data.vocabulary.itos.slice(9, 12)) // 8 2 ['the', 'cat', 'sat']
 * ```
 */
export class TextLMDataBunch {
  readonly vocabulary: FastaiVocabulary
  /** Ids of the documents. */
  readonly train: readonly Int32Array[]
  readonly valid: readonly Int32Array[]
  readonly batchSize: number
  readonly bptt: number
  readonly #seed: number

  private constructor(op: string, rows: readonly Row[], options: TextDataOptions) {
    const { batchSize = 64, bptt = 70, validPct = 0.2, seed = 0, vocabulary } = options
    checkInteger(op, 'batchSize', batchSize, 1)
    checkInteger(op, 'bptt', bptt, 1)
    checkNumber(op, 'validPct', validPct, 0, 1)
    checkInteger(op, 'seed', seed, 0)
    const counted = options.maxVocabulary ?? options.minFrequency
    if (vocabulary !== undefined && counted !== undefined) {
      throw badArgument(op, 'vocabulary', 'no maxVocabulary or minFrequency beside it', counted)
    }
    const drawn = drawnRows(rows, validPct, seed)
    const documents = rows.map(({ text }) => ['xxbos', ...fastaiTokens(text)])
    const isValid = (i: number) => rows[i]!.isValid ?? drawn.has(i)
    const training = documents.filter((_, i) => !isValid(i))
    if (training.length === 0) throw badArgument(op, 'texts', 'a training document', 'none', 'ERR_EMPTY')
    const { maxVocabulary, minFrequency } = options
    this.vocabulary =
      vocabulary ??
      FastaiVocabulary.fromDocuments(training, {
        ...(maxVocabulary !== undefined && { maxVocabulary }),
        ...(minFrequency !== undefined && { minFrequency }),
      })
    this.train = training.map(document => this.vocabulary.numericalize(document))
    this.valid = documents
      .filter((_, i) => isValid(i))
      .map(document => this.vocabulary.numericalize(document))
    this.batchSize = batchSize
    this.bptt = bptt
    this.#seed = seed
  }

  /**
   * Returns the data of some texts.
   * @throws PackedRnnError ERR_EMPTY without a training document; ERR_OUT_OF_RANGE or ERR_INVALID_ARGUMENT for an option.
   */
  static fromTexts(texts: readonly string[], options: TextDataOptions = {}): TextLMDataBunch {
    const op = 'TextLMDataBunch.fromTexts'
    checkOptions(op, options, names)
    return new TextLMDataBunch(
      op,
      texts.map(text => ({ text })),
      options,
    )
  }

  /**
   * Reads a table with a header and quoted fields, such as fast.ai's texts.csv: `label,text,is_valid`. Rows whose `is_valid` is True are
   * validated on; without that column, a random share is.
   *
   * @throws PackedRnnError (rejects) as `fromTexts`; ERR_FILE_FORMAT for a row without the column, ERR_INVALID_ARGUMENT for a file that
   * cannot be read. Rejects with the signal's reason.
   *
   * @example
   * ```ts
   * import { mkdtempSync, writeFileSync } from 'node:fs'
   * import { tmpdir } from 'node:os'
   * import { join } from 'node:path'
   * import { TextLMDataBunch } from 'packed-rnn/tasks'
   *
   * const file = join(mkdtempSync(join(tmpdir(), 'texts-')), 'texts.csv')
   * writeFileSync(file, 'label,text,is_valid\npos,"Good, very good",False\nneg,Bad,True\n')
   * const data = await TextLMDataBunch.fromCsv(file, { minFrequency: 1, batchSize: 1 })
   * console.log(data.vocabulary.textify(data.train[0]!)) // xxbos xxmaj good , very good
   * ```
   */
  static async fromCsv(file: string, options: CsvTextOptions = {}): Promise<TextLMDataBunch> {
    const op = 'TextLMDataBunch.fromCsv'
    checkOptions(op, options, csvNames)
    const rows: Row[] = []
    let columns: { text: number; valid: number } | null = null
    const take = (fields: string[], line: number) => {
      if (columns === null) {
        const { textColumn = 'text' } = options
        const text = fields.indexOf(textColumn)
        if (text < 0 && options.textColumn !== undefined) {
          throw badFile(file, line, `a column ${textColumn}`, fields.join(','))
        }
        columns = { text: text < 0 ? 1 : text, valid: fields.indexOf('is_valid') }
        return
      }
      const text = fields[columns.text]
      if (text === undefined) throw badFile(file, line, `${columns.text + 1} fields`, fields.length)
      const isValid = fields[columns.valid]
      rows.push(columns.valid < 0 ? { text } : { text, isValid: isValid?.toLowerCase() === 'true' })
    }
    await readRows(file, { delimiter: ',', quote: '"' }, take, options.signal)
    return new TextLMDataBunch(op, rows, options)
  }

  /** The batches for training: the documents in a new order in each epoch. @throws PackedRnnError ERR_EMPTY for too few tokens. */
  trainLoader(): Loader<Window> {
    return new DocumentStreams(this.train, { batchSize: this.batchSize, window: this.bptt, seed: this.#seed })
  }

  /** The batches for validation. @throws PackedRnnError ERR_EMPTY for too few tokens. */
  validLoader(): Loader<Window> {
    return new StreamLoader(joinedIds(this.valid), { batchSize: this.batchSize, window: this.bptt })
  }
}

/** Documents that are joined in another order in each epoch. */
class DocumentStreams implements Loader<Window> {
  readonly #documents: readonly Int32Array[]
  readonly #options: { batchSize: number; window: number; seed: number }

  constructor(
    documents: readonly Int32Array[],
    options: { batchSize: number; window: number; seed: number },
  ) {
    this.#documents = documents
    this.#options = options
  }

  get way(): string {
    return JSON.stringify({ documents: this.#documents.length, ...this.#options })
  }

  epoch(number: number): LoaderEpoch<Window> {
    const { batchSize, window, seed } = this.#options
    const order = new Generator(seed, number).shuffle([...this.#documents])
    return new StreamLoader(joinedIds(order), { batchSize, window }).epoch(0)
  }
}

/** The numbers of a random share of the rows that nothing else decides on. */
function drawnRows(rows: readonly Row[], share: number, seed: number): Set<number> {
  const open = rows.flatMap(({ isValid }, i) => (isValid === undefined ? [i] : []))
  return new Set(new Generator(seed).shuffle(open).slice(0, Math.floor(share * open.length)))
}

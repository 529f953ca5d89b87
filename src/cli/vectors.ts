import { fileOption, integerOption, switchOption, type ValuesOf } from './options.js'

/** The options about a file of word vectors. */
export const vectorOptions = {
  vectors: fileOption("word vectors in fastText's text or word2vec's binary format, plain or .gz"),
  limit: integerOption('the first N rows of the vectors only', 1, { needs: 'vectors' }),
  'no-header': switchOption("the vectors begin with their first row, as GloVe's do", { needs: 'vectors' }),
} as const

export interface VectorFile {
  file: string
  /** Infinite where all rows are read. */
  limit: number
  noHeader: boolean
}

/** The file of word vectors, undefined where none is given. */
export function vectorFile(values: ValuesOf<typeof vectorOptions>): VectorFile | undefined {
  const { vectors: file, limit = Number.POSITIVE_INFINITY, 'no-header': noHeader = false } = values
  return file === undefined ? undefined : { file, limit, noHeader }
}

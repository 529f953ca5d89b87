import { optionalInteger, UsageError } from './options.js'

/** The options about a file of word vectors, for `parse`. */
export const vectorOptions = {
  vectors: { type: 'string' },
  limit: { type: 'string' },
  'no-header': { type: 'boolean' },
} as const

/** Their part of a command's usage. */
export const vectorUsage = `\
  --vectors FILE     word vectors in fastText's text or word2vec's binary format, plain or .gz
  --limit N          the first N rows of the vectors only
  --no-header        the vectors begin with their first row, as GloVe's do`

export interface VectorFile {
  file: string
  /** Infinite where all rows are read. */
  limit: number
  noHeader: boolean
}

/** The file of word vectors, undefined where none is given. @throws UsageError for an option that would want one. */
export function vectorFile(values: {
  vectors?: string | undefined
  limit?: string | undefined
  'no-header'?: boolean | undefined
}): VectorFile | undefined {
  const { vectors: file, limit, 'no-header': noHeader } = values
  if (file === undefined) {
    if (limit !== undefined) throw new UsageError('--limit: wanted --vectors too')
    if (noHeader !== undefined) throw new UsageError('--no-header: wanted --vectors too')
    return undefined
  }
  return {
    file,
    limit: optionalInteger('limit', limit, 1) ?? Number.POSITIVE_INFINITY,
    noHeader: noHeader ?? false,
  }
}

import * as v from 'valibot'

/** Validates a token codec in the files of runs. */
export const codecSchema = v.union([
  v.object({ name: v.picklist(['whitespace', 'words', 'characters']) }),
  v.object({ name: v.literal('bpe'), merges: v.array(v.tuple([v.string(), v.string()])) }),
])

import { badArgument } from '../errors.js'
import type { AttentionScore } from '../nn/index.js'
import { type AttentiveOptions, BahdanauDecoder, LuongDecoder, TutorialDecoder } from './attentiveDecoders.js'
import { ContextDecoder, type Decoder, type DecoderOptions, PlainDecoder } from './decoders.js'

/** How a decoder reads the source; see `Seq2SeqLayers`. */
export type DecoderKind = 'plain' | 'context' | 'bahdanau' | 'luong' | 'tutorial'

export const decoderKinds: readonly DecoderKind[] = ['plain', 'context', 'bahdanau', 'luong', 'tutorial']

/** The decoders that have an option. */
const owners = {
  score: ['bahdanau', 'luong', 'tutorial'],
  deepOutput: ['bahdanau'],
  inputFeeding: ['luong'],
} as const satisfies Record<string, readonly DecoderKind[]>

/** What decoders have beside their sizes. */
type KindOptions = Pick<Partial<AttentiveOptions>, 'score' | 'maxLength'> & {
  deepOutput?: boolean
  inputFeeding?: boolean
}

/** A decoder by its name. @throws PackedRnnError ERR_INVALID_ARGUMENT for an option of another decoder or score. @internal */
export function decoderOf(kind: DecoderKind, options: DecoderOptions & KindOptions): Decoder {
  const op = 'Seq2Seq'
  for (const [name, kinds] of Object.entries(owners) as [keyof typeof owners, readonly DecoderKind[]][]) {
    if (options[name] === undefined || kinds.includes(kind)) continue
    throw badArgument(op, name, `none for the decoder ${kind}`, options[name])
  }
  const score = options.score ?? defaultScores[kind]
  if (options.maxLength !== undefined && score !== 'location') {
    throw badArgument(op, 'maxLength', "none without the score 'location'", options.maxLength)
  }
  const { maxLength = 100, deepOutput = true, inputFeeding = true } = options
  switch (kind) {
    case 'plain':
      return new PlainDecoder(options)
    case 'context':
      return new ContextDecoder(options)
    case 'bahdanau':
      return new BahdanauDecoder({ ...options, score, maxLength, deepOutput })
    case 'luong':
      return new LuongDecoder({ ...options, score, maxLength, inputFeeding })
    case 'tutorial':
      return new TutorialDecoder({ ...options, score, maxLength })
  }
}

const defaultScores: Record<DecoderKind, AttentionScore> = {
  plain: 'additive',
  context: 'additive',
  bahdanau: 'additive',
  luong: 'general',
  tutorial: 'location',
}

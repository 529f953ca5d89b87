import type { AttentionScore } from '../nn/index.js'
import { BahdanauDecoder, LuongDecoder, TutorialDecoder } from './attentiveDecoders.js'
import { ContextDecoder, type Decoder, type DecoderOptions, PlainDecoder } from './decoders.js'

/** How a decoder reads the source; see `Seq2SeqLayers`. */
export type DecoderKind = 'plain' | 'context' | 'bahdanau' | 'luong' | 'tutorial'

export const decoderKinds: readonly DecoderKind[] = ['plain', 'context', 'bahdanau', 'luong', 'tutorial']

/** A decoder by its name. @internal */
export function decoderOf(
  kind: DecoderKind,
  options: DecoderOptions & {
    score?: AttentionScore
    maxLength?: number
    deepOutput?: boolean
    inputFeeding?: boolean
  },
): Decoder {
  const { score, maxLength = 100, deepOutput = true, inputFeeding = true } = options
  switch (kind) {
    case 'plain':
      return new PlainDecoder(options)
    case 'context':
      return new ContextDecoder(options)
    case 'bahdanau':
      return new BahdanauDecoder({ ...options, score: score ?? 'additive', maxLength, deepOutput })
    case 'luong':
      return new LuongDecoder({ ...options, score: score ?? 'general', maxLength, inputFeeding })
    case 'tutorial':
      return new TutorialDecoder({ ...options, score: score ?? 'location', maxLength })
  }
}

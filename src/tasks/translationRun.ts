import * as v from 'valibot'
import type { Device } from '../device.js'
import { badArgument, ofFile } from '../errors.js'
import { Seq2Seq, type Seq2SeqLayers } from '../models/seq2seq.js'
import { type TokenCodec, type TokenCodecJson, tokenCodec } from '../text/codecs.js'
import { MarkedVocabulary } from '../text/markedVocabulary.js'
import { loadTrained, type RunKind, saveTrained } from '../training/runFiles.js'
import { codecSchema } from './codecSchema.js'

/** The task's name, in a run's files. */
export const TRANSLATION = 'translation'

/** One language of a translation: how a text becomes ids, and ids a text. */
export interface Language {
  codec: TokenCodec
  vocabulary: MarkedVocabulary
}

/** A trained translation model with what turns a text into its input and its output into a text. */
export interface TranslationRun {
  model: Seq2Seq
  source: Language
  target: Language
  /** Whether texts are made lower case first. */
  lowercase: boolean
}

const language = v.object({
  codec: codecSchema,
  words: v.array(v.string()),
})

const size = v.pipe(v.number(), v.integer(), v.minValue(1))
const schema = v.object({
  layers: v.looseObject({ embeddingDim: size, hiddenSize: size }),
  lowercase: v.boolean(),
  source: language,
  target: language,
})
type Config = v.InferOutput<typeof schema>

const kind: RunKind<TranslationRun, Config> = {
  task: TRANSLATION,
  schema,
  save({ model, source, target, lowercase }) {
    for (const [name, { vocabulary }, wanted] of [
      ['source', source, model.encoder.embedding.weight.shape[0]],
      ['target', target, model.decoder.embedding.weight.shape[0]],
    ] as const) {
      if (vocabulary.size === wanted) continue
      const message = `${wanted} ids, as the model`
      throw badArgument('saveTranslation', `run.${name}.vocabulary`, message, vocabulary.size, 'ERR_SHAPE')
    }
    const { initial: _, ...layers } = model.layers
    const config = { layers, lowercase, source: saved(source), target: saved(target) }
    return { config, model }
  },
  load({ layers, lowercase, source, target }, { configFile, modelFile, state }, options) {
    const run = ofFile(configFile, () => {
      const [from, to] = [restored(source), restored(target)]
      const model = new Seq2Seq({
        ...(layers satisfies Seq2SeqLayers),
        ...options,
        sourceVocabularySize: from.vocabulary.size,
        targetVocabularySize: to.vocabulary.size,
      })
      return { model, source: from, target: to, lowercase }
    })
    ofFile(modelFile, () => run.model.loadStateDict(state))
    run.model.eval()
    return run
  },
}

function saved({ codec, vocabulary }: Language): { codec: TokenCodecJson; words: string[] } {
  return { codec: codec.toJSON(), words: [...vocabulary.words] }
}

function restored({ codec, words }: Config['source']): Language {
  return { codec: tokenCodec(codec), vocabulary: MarkedVocabulary.fromWords(words) }
}

/**
 * Writes a trained model into a directory: model.safetensors and config.json, which has all that translating needs.
 *
 * @throws PackedRnnError (rejects) ERR_INVALID_ARGUMENT if it cannot be written; ERR_SHAPE for a vocabulary of another size than
 * the model's; ERR_DISPOSED.
 *
 * @example
 * ```ts
 * import { Seq2Seq } from 'packed-rnn/models'
 * import { saveTranslation } from 'packed-rnn/tasks'
 * import { MarkedVocabulary, tokenCodec } from 'packed-rnn/text'
 *
 * const language = { codec: tokenCodec('words'), vocabulary: MarkedVocabulary.fromWords(['ein', 'Hund']) }
 * const sizes = { sourceVocabularySize: 5, targetVocabularySize: 5, embeddingDim: 4, hiddenSize: 8 }
 * const run = { model: new Seq2Seq(sizes), source: language, target: language, lowercase: false }
 * console.log(await saveTranslation(run, 'saved-translation')) // undefined
 * ```
 */
export function saveTranslation(run: TranslationRun, directory: string): Promise<void> {
  return saveTrained(kind, run, directory)
}

/**
 * Reads what `saveTranslation` wrote; the model is in evaluation mode.
 *
 * @throws PackedRnnError (rejects) ERR_FILE_FORMAT naming the file and what is wrong with it, ERR_INVALID_ARGUMENT if one cannot
 * be read.
 *
 * @example
 * ```ts
 * import { Seq2Seq } from 'packed-rnn/models'
 * import { loadTranslation, saveTranslation } from 'packed-rnn/tasks'
 * import { MarkedVocabulary, tokenCodec } from 'packed-rnn/text'
 *
 * const language = { codec: tokenCodec('words'), vocabulary: MarkedVocabulary.fromWords(['ein', 'Hund']) }
 * const sizes = { sourceVocabularySize: 5, targetVocabularySize: 5, embeddingDim: 4, hiddenSize: 8 }
 * const run = { model: new Seq2Seq(sizes), source: language, target: language, lowercase: false }
 * await saveTranslation(run, 'loaded-translation')
 * const { target } = await loadTranslation('loaded-translation')
 * console.log(target.vocabulary.words) // ['ein', 'Hund']
 * ```
 */
export function loadTranslation(
  directory: string,
  options: { device?: Device } = {},
): Promise<TranslationRun> {
  return loadTrained(kind, directory, options)
}

/** The ids of a source text. */
export function sourceIds({ source, lowercase }: Omit<TranslationRun, 'model'>, text: string): Int32Array {
  return source.vocabulary.encode(source.codec.encode(cased(text, lowercase)))
}

/** The ids of a target text, with both marks. */
export function targetIds({ target, lowercase }: Omit<TranslationRun, 'model'>, text: string): Int32Array {
  return target.vocabulary.encode(target.codec.encode(cased(text, lowercase)), { begin: true, end: true })
}

/** The text of a translation. */
export function textOf({ target }: Pick<TranslationRun, 'target'>, ids: readonly number[]): string {
  return target.codec.decode(target.vocabulary.decode(ids))
}

function cased(text: string, lowercase: boolean): string {
  return lowercase ? text.toLowerCase() : text
}

import { writeFileSync } from 'node:fs'
import { fastaiLanguageModel } from '../../../src/formats/index.js'
import {
  Bpe,
  FastaiVocabulary,
  fastaiTokens,
  MarkedVocabulary,
  type Merge,
  type PairTableOptions,
  readBpe,
  readPairs,
  readPairTable,
  type TokenCodec,
  type TokenCodecJson,
  tokenCodec,
  tokenizers,
  withoutSpecials,
  writeBpe,
} from '../../../src/text/index.js'
import { fastaiTensors } from '../../reference/fastaiFiles.js'
import { fileOf } from './fileCalls.js'
import type { Call } from './opCalls.js'
import { textOf } from './textCalls.js'
import { signalOf } from './trainingCalls.js'
import { expectSame, untyped, type World } from './world.js'

/** Parts of words, codecs, the decoder's words, and sentence pairs. */

function textsOf(world: World): string[] {
  return Array.from({ length: world.hostile.below(5) }, () => textOf(world))
}

/** Learned or drawn. */
function bpeOf(world: World): Bpe | null {
  const { hostile } = world
  if (hostile.once(2)) {
    const texts = textsOf(world)
    const options = { merges: hostile.number(1 + hostile.below(12)), minCount: hostile.number(1) }
    const learned = world.attempt('text.Bpe.learn', () => Bpe.learn(texts, options))
    if (learned !== null && learned.merges.length > options.merges)
      throw new Error(`Bpe.learn: ${learned.merges.length} merges of ${options.merges}`)
    return learned
  }
  const symbols = ['a', 'b', 'ab', 'a</w>', 'b</w>', 'ö', '😀', '<', '.', 'ba', '__proto__']
  const symbol = () =>
    hostile.once(80) ? hostile.oneOf(['', 'a b', '\t', '\u2028']) : hostile.oneOf(symbols)
  const merges = Array.from({ length: hostile.below(7) }, (): Merge => [symbol(), symbol()])
  if (hostile.once(20)) merges.push(untyped(hostile.oneOf([[], ['a'], ['a', 'b', 'c']])))
  return world.attempt('text.Bpe', () => new Bpe(merges))
}

/** A text comes back; its tokens are characters or merged, and no merge applies to them any more. */
function checkBpe(one: Bpe, text: string, tokens: readonly string[]): void {
  expectSame('Bpe.decode', one.decode(tokens), tokenizers.whitespace(text).join(' '))
  const pairs = new Set(one.merges.map(merge => merge.join(' ')))
  const merged = new Set(one.merges.map(merge => merge.join('')))
  const symbols = tokens.map(token => (token.endsWith('@@') ? token.slice(0, -2) : `${token}</w>`))
  for (const [t, symbol] of symbols.entries()) {
    const characters = Array.from(symbol.replace(/<\/w>$/, '')).length
    if (characters !== 1 && !merged.has(symbol)) throw new Error(`Bpe.encode: '${symbol}' of nothing`)
    const ends = symbol.endsWith('</w>') // what follows is of another word
    if (!ends && pairs.has(`${symbol} ${symbols[t + 1]}`))
      throw new Error(`Bpe.encode: '${symbol}' is not merged`)
  }
}

function bpe(world: World): void {
  const { hostile } = world
  const one = bpeOf(world)
  if (one === null) return
  const text = textOf(world)
  const tokens = world.attempt('text.Bpe.encode', () => one.encode(text))
  if (tokens === null) return
  checkBpe(one, text, tokens)
  expectSame('Bpe.encode: again', one.encode(text), tokens)
  const some = tokens.filter(() => hostile.once(2))
  world.attempt('text.Bpe.decode', () => one.decode([...some, '@@', '']))
}

/** What makes a codec: a name, JSON, or something else. */
function codecArgument(world: World): TokenCodecJson | TokenCodecJson['name'] {
  const { hostile } = world
  if (hostile.once(12)) {
    const wrong = [null, 3, {}, [], 'bpe', 'Words', { name: 'bpe', merges: [['a', 3]] }, { name: 'bpe' }]
    return untyped(hostile.oneOf<unknown>(wrong))
  }
  const name = hostile.oneOf(['whitespace', 'words', 'characters'] as const)
  return hostile.once(3) ? (bpeOf(world)?.toJSON() ?? name) : hostile.once(2) ? { name } : name
}

function codec(world: World): void {
  const given = codecArgument(world)
  const made = world.attempt('text.tokenCodec', () => tokenCodec(given))
  if (made === null) return
  const text = textOf(world)
  const tokens = made.encode(text)
  const found = made.decode(tokens)
  const words = tokenizers.whitespace(text).join(' ')
  if (made.name === 'characters') expectSame('tokenCodec: characters', found, text)
  else if (made.name === 'words') {
    const solid = (one: string) => one.replace(/\s/gu, '')
    expectSame('tokenCodec: words', solid(found), solid(text))
  } else expectSame(`tokenCodec: ${made.name}`, found, words)
  const read = world.attempt('text.tokenCodec', (): TokenCodec => {
    return tokenCodec(JSON.parse(JSON.stringify(made)))
  })
  expectSame('tokenCodec: of JSON', [read?.name, read?.encode(text)], [made.name, tokens])
}

function markedWords(world: World): string[] {
  const { hostile } = world
  const some = ['a', 'b', 'c', 'd', '<unk>', '<s>', '</s>', '__proto__', '']
  return Array.from({ length: hostile.below(7) }, () => hostile.oneOf(some))
}

function markedVocabularyOf(world: World): MarkedVocabulary | null {
  const { hostile } = world
  const name = 'text.MarkedVocabulary'
  if (hostile.once(2)) {
    const drawn = markedWords(world)
    const given = hostile.once(8) ? drawn : [...new Set(drawn)]
    if (hostile.once(30)) given.push(untyped(hostile.oneOf([3, null, ['a']])))
    const json = hostile.once(20) ? hostile.oneOf<unknown>([null, 3, {}, { words: 'ab' }]) : { words: given }
    return world.attempt(name, () =>
      hostile.once(2) ? MarkedVocabulary.fromJSON(json) : MarkedVocabulary.fromWords(given),
    )
  }
  const documents = [markedWords(world), markedWords(world), markedWords(world)]
  const minCount = hostile.number(1 + hostile.below(2))
  const maxWords = hostile.once(2) ? hostile.number(1 + hostile.below(4)) : undefined
  return world.attempt(name, () => {
    const options = { minCount, ...(maxWords !== undefined && { maxWords }) }
    const made = MarkedVocabulary.fromDocuments(documents, options)
    const all = documents.flat()
    const count = (word: string) => all.filter(other => other === word).length
    const frequent = [...new Set(all)].filter(word => count(word) >= minCount)
    const wanted = frequent.toSorted((a, b) => count(b) - count(a)).slice(0, maxWords)
    expectSame('MarkedVocabulary.fromDocuments', made.words, wanted)
    return made
  })
}

function markedVocabulary(world: World): void {
  const { hostile } = world
  const one = markedVocabularyOf(world)
  if (one === null) return
  const tokens = [...markedWords(world), ...one.words]
  const marks = { ...(hostile.once(2) && { begin: true }), ...(hostile.once(2) && { end: true }) }
  const ids = world.attempt('text.MarkedVocabulary.encode', () => one.encode(tokens, marks))
  if (ids !== null) {
    const known = tokens.map(token => one.words.indexOf(token)).map(at => (at < 0 ? 0 : 3 + at))
    const wanted = [...(marks.begin ? [1] : []), ...known, ...(marks.end ? [2] : [])]
    expectSame('MarkedVocabulary.encode', [...ids], wanted)
    const words = tokens.map(token => (one.has(token) ? token : '<unk>'))
    expectSame('MarkedVocabulary.decode', one.decode(ids), words)
  }
  const drawn = Array.from({ length: hostile.below(5) }, () => hostile.number(hostile.below(one.size)))
  world.attempt('text.MarkedVocabulary.decode', () => one.decode(drawn))
  world.attempt('text.MarkedVocabulary.word', () => one.word(hostile.number(hostile.below(9))))
}

/** Merges come back as they were written. */
function bpeFile(world: World): void {
  const one = bpeOf(world)
  const file = fileOf(world, '.bpe')
  world.attemptLater('text.readBpe', () => readBpe(fileOf(world)))
  if (one === null) return
  world.attemptLater(
    'text.writeBpe',
    () => writeBpe(file, one),
    () =>
      world.attemptLater(
        'text.readBpe',
        () => readBpe(file),
        read => expectSame('readBpe', read.merges, one.merges),
      ),
  )
}

/** Of one line. */
const lineOf = (world: World) => textOf(world).replace(/[\r\n\ufeff]/g, '')
/** Whether a pair is one for training. */
const filled = ({ source, target }: { source: string; target: string }) =>
  source.trim() !== '' && target.trim() !== ''

/** What to do with empty sides, and a signal. */
function pairOptions(world: World) {
  const { hostile } = world
  const empty = hostile.once(20) ? untyped<'keep'>('drop') : hostile.oneOf(['keep', 'skip'] as const)
  return { ...(hostile.once(2) && { empty }), ...signalOf(world) }
}

/** Written only under a name that can be a file's. */
function writeLines(world: World, file: string, lines: readonly string[]): void {
  const end = world.hostile.oneOf(['\n', '\r\n'])
  if (file.endsWith('.txt')) writeFileSync(file, lines.map(line => line + end).join(''))
}

function pairs(world: World): void {
  const { hostile } = world
  const sources = Array.from({ length: hostile.below(7) }, () => lineOf(world))
  const targets = sources.map(() => lineOf(world))
  if (hostile.once(8)) (hostile.once(2) ? sources : targets).push(lineOf(world))
  const [sourceFile, targetFile] = [fileOf(world, '.txt'), fileOf(world, '.txt')]
  writeLines(world, sourceFile, sources)
  writeLines(world, targetFile, targets)
  const options = pairOptions(world)
  world.attemptLater(
    'text.readPairs',
    () => readPairs(sourceFile, targetFile, options),
    read => {
      expectSame('readPairs: lines', sources.length, targets.length)
      const all = sources.map((source, i) => ({ source, target: targets[i]! }))
      expectSame('readPairs', read, options.empty === 'skip' ? all.filter(filled) : all)
    },
  )
}

function pairTable(world: World): void {
  const { hostile } = world
  const field = () => lineOf(world).replaceAll('\t', ' ')
  const rows = Array.from({ length: hostile.below(6) }, () =>
    Array.from({ length: hostile.once(25) ? 1 : 3 }, field),
  )
  const column = () => hostile.number(hostile.below(3))
  const columns = (): PairTableOptions['source'] =>
    hostile.once(20) ? hostile.oneOf([[], untyped('a')]) : hostile.once(3) ? [column(), column()] : column()
  const [source, target] = [columns(), columns()]
  const file = fileOf(world, '.txt')
  writeLines(
    world,
    file,
    rows.map(row => row.join('\t')),
  )
  const options = {
    ...pairOptions(world),
    ...(hostile.once(2) && source !== undefined && { source }),
    ...(hostile.once(2) && target !== undefined && { target }),
  }
  world.attemptLater(
    'text.readPairTable',
    () => readPairTable(file, options),
    read => {
      const side = (row: string[], one: number | readonly number[]) =>
        [one]
          .flat()
          .map(at => row[at]!)
          .join('\t')
      const skips = options.empty === 'skip'
      const all = rows
        .filter(row => !(skips && row.join('') === '' && row.length === 1))
        .map(row => ({ source: side(row, options.source ?? 0), target: side(row, options.target ?? 1) }))
      expectSame('readPairTable', read, skips ? all.filter(filled) : all)
    },
  )
}

function fastai(world: World): void {
  const { hostile } = world
  const text = hostile.once(3)
    ? textOf(world)
    : hostile.oneOf(['NO!!!!! A b a b a b a b', "don't <br />", 'xxrep 5 o'])
  const tokens = world.attempt('text.fastaiTokens', () => fastaiTokens(text))
  if (tokens === null) return
  world.attempt('text.withoutSpecials', () => withoutSpecials(tokens))
  const vocabulary = world.attempt('text.FastaiVocabulary', () =>
    hostile.once(2)
      ? new FastaiVocabulary(hostile.once(9) ? untyped([3]) : tokens)
      : FastaiVocabulary.fromDocuments([tokens], {
          maxVocabulary: hostile.number(5),
          minFrequency: hostile.number(1),
        }),
  )
  if (vocabulary === null || vocabulary.itos.length === 0) return
  const ids = vocabulary.numericalize(tokens)
  const known = vocabulary.words(ids).filter(word => word !== 'xxunk' && word !== vocabulary.itos[0])
  expectSame(
    'FastaiVocabulary: known words',
    known.every(word => tokens.includes(word)),
    true,
  )
}

/** A model of random sizes, some of whose tensors are missing or of another shape. */
function fastaiModel(world: World): void {
  const { hostile } = world
  const sizes = { words: 1 + hostile.below(4), embedding: 1 + hostile.below(3), hidden: 1 + hostile.below(3) }
  const version = hostile.oneOf([0, 1] as const)
  const prefix = hostile.oneOf(['0.', 'model.0.'])
  const tensors = fastaiTensors({ ...sizes, layers: 1 + hostile.below(3), version, prefix })
  const names = [...tensors.keys()]
  if (hostile.once(3)) tensors.delete(hostile.oneOf(names))
  if (hostile.once(3)) tensors.set(hostile.oneOf(['', 'a', ...names]), tensors.get(names[0]!)!)
  world.attempt('fastaiLanguageModel', () => fastaiLanguageModel(tensors, 'model.h5'))
}

export const sentenceCalls: Record<string, Call> = { bpe, codec, markedVocabulary, fastai, fastaiModel }
export const slowSentenceCalls: Record<string, Call> = { bpeFile, pairs, pairTable }

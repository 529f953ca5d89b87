import {
  type Article,
  Batches,
  embeddingTable,
  inspectArticles,
  inventArticles,
  LabelEncoder,
  type Padding,
  paddingEfficiency,
  stratifiedSplit,
  tokenizers,
  type UnknownRows,
  Vocabulary,
} from '../../../src/text/index.js'
import type { Call } from './opCalls.js'
import { labelled } from './trainingCalls.js'
import { expectSame, untyped, type World } from './world.js'

/** Texts, words, labels and batches. */

const LETTERS = [
  'a',
  'b',
  'ö',
  'ß',
  '😀',
  '\ufeff',
  '\u2028',
  '\0',
  ' ',
  ' ',
  '\t',
  '\n',
  '\r\n',
  ';',
  "'",
  '"',
  '<',
  '.',
]

export function textOf(world: World): string {
  const { hostile } = world
  return Array.from({ length: hostile.below(hostile.once(5) ? 40 : 8) }, () => hostile.oneOf(LETTERS)).join(
    '',
  )
}

export function articlesOf(world: World): Article[] {
  const { hostile } = world
  return Array.from({ length: hostile.below(12) }, () => ({
    category: hostile.once(60) ? '' : hostile.oneOf(['Web', 'Sport', 'x;y', "d'or"]),
    text: textOf(world),
  }))
}

function words(world: World): string[] {
  const { hostile } = world
  return Array.from({ length: hostile.below(7) }, () =>
    hostile.oneOf(['a', 'b', 'c', 'd', '<unk>', '__proto__', '']),
  )
}

/** Each document once, in batches within both bounds. */
function batches(world: World): void {
  const { hostile } = world
  const data = labelled(world)
  const options = {
    batchSize: hostile.number(1 + hostile.below(4)),
    ...(hostile.once(2) && { shuffleSeed: hostile.number(hostile.below(9)) }),
    ...(hostile.once(3) && { bucketByLength: true }),
    ...(hostile.once(3) && { maxTokens: hostile.number(1 + hostile.below(9)) }),
    ...(hostile.once(3) && { dropLast: true }),
  }
  const made = world.attempt('text.Batches', () => new Batches(data, options))
  const epoch =
    made && world.attempt('text.Batches.epoch', () => made.epoch(hostile.number(hostile.below(3))))
  if (epoch === null) return
  const all = world.attempt('text.Epoch', () => [...epoch])
  if (all === null) return
  const found: string[] = []
  for (const { ids, labels } of all) {
    const { sequences } = ids
    const full = sequences.batchSize > options.batchSize || sequences.batchSize !== labels.length
    const long = sequences.batchSize > 1 && sequences.rows > (options.maxTokens ?? Infinity)
    if (full || long || labels.length === 0) throw new Error(`Batches: ${sequences.lengths()} in a batch`)
    labels.forEach((label, b) => {
      found.push(`${label}: ${ids.ids.subarray(sequences.offsets[b], sequences.offsets[b + 1])}`)
    })
  }
  const given = data.documents.map((document, i) => `${data.labels[i]}: ${document}`)
  expectSame('Batches: steps', epoch.steps, all.length)
  if (options.dropLast)
    expectSame(
      'Batches: documents',
      found.every(each => given.includes(each)),
      true,
    )
  else expectSame('Batches: documents', found.sort(), given.sort())
}

function split(world: World): void {
  const { hostile } = world
  const articles = articlesOf(world)
  const share = hostile.number(hostile.uniform(0.01, 0.99))
  const parts = world.attempt('text.stratifiedSplit', () =>
    stratifiedSplit(articles, { test: share, seed: hostile.number(hostile.below(9)) }),
  )
  if (parts === null) return
  const { train, test } = parts
  const inOrder = articles.filter(each => train.includes(each))
  expectSame('stratifiedSplit: a partition', [inOrder, train.length + test.length], [train, articles.length])
  const sizes = new Map<string, number>()
  for (const { category } of articles) sizes.set(category, (sizes.get(category) ?? 0) + 1)
  // What single articles do not give, the others do.
  const singles = [...sizes.values()].filter(size => size === 1).length
  for (const category of sizes.keys()) {
    const of = (some: Article[]) => some.filter(each => each.category === category).length
    const [all, aside] = [of(articles), of(test)]
    // Both sides have some of two or more; the counts of all categories together are rounded.
    const fair =
      all === 1
        ? aside === 0
        : aside >= 1 && aside < all && Math.abs(aside - share * all) < 2 + share * singles
    if (!fair) throw new Error(`stratifiedSplit: ${aside} of ${all} for a share of ${share}`)
  }
}

function vocabularyOf(world: World): Vocabulary | null {
  const { hostile } = world
  const padding = hostile.once(20) ? untyped<Padding>('none') : hostile.oneOf(['shared', 'own'] as const)
  if (hostile.once(2)) {
    const given = words(world)
    return world.attempt('text.Vocabulary', () => Vocabulary.fromWords(given, { padding }))
  }
  const documents = [words(world), words(world)]
  const minCount = hostile.number(1 + hostile.below(2))
  return world.attempt('text.Vocabulary', () => {
    const made = Vocabulary.fromDocuments(documents, { padding, minCount })
    const wanted = [...new Set(documents.flat())].filter(
      word => documents.flat().filter(other => other === word).length >= minCount,
    )
    expectSame('Vocabulary.fromDocuments', made.words, wanted)
    return made
  })
}

function vocabulary(world: World): void {
  const { hostile } = world
  const one = vocabularyOf(world)
  if (one === null) return
  const tokens = [...words(world), ...one.words]
  const ids = world.attempt('text.Vocabulary.encode', () => one.encode(tokens))
  ids?.forEach((id, t) => {
    expectSame('Vocabulary.decode', one.decode(id), one.has(tokens[t]!) ? tokens[t] : '<unk>')
  })
  world.attempt('text.Vocabulary.decode', () => one.decode(hostile.number(hostile.below(9))))
  // Wide rows are slow to draw, and no mistake.
  const dim = hostile.once(8)
    ? hostile.oneOf([0, -1, 0.5, Number.NaN, 2 ** 31, 2 ** 53, 1e300])
    : hostile.below(4)
  const known = [...new Set(words(world))]
  const count = hostile.once(20) ? hostile.below(9) : known.length * dim
  const vectors = { words: known, dim, data: hostile.values(count < 100 ? count : 0) }
  const unk = hostile.once(30)
    ? untyped<UnknownRows>('ones')
    : hostile.oneOf(['uniform', 'zero', 'mean'] as const)
  const table = world.attempt('text.embeddingTable', () =>
    embeddingTable(one, vectors, { unk, seed: hostile.number(hostile.below(5)) }),
  )
  if (table === null) return
  expectSame('embeddingTable: numbers', table.length, one.size * dim)
  for (const [i, word] of one.words.entries()) {
    const row = known.indexOf(word)
    if (row < 0) continue
    const [got, wanted] = [table.subarray((one.firstId + i) * dim), vectors.data.subarray(row * dim)]
    expectSame('embeddingTable: a row', got.slice(0, dim), wanted.slice(0, dim))
  }
}

function paddingShare(world: World): void {
  const { hostile } = world
  const lengths = Array.from({ length: hostile.below(8) }, () => hostile.number(hostile.below(9)))
  const batchSize = hostile.number(1 + hostile.below(4))
  const share = world.attempt('text.paddingEfficiency', () =>
    paddingEfficiency(lengths, { batchSize, bucketByLength: false }),
  )
  if (share === null) return
  let padded = 0
  for (let at = 0; at < lengths.length; at += batchSize) {
    const batch = lengths.slice(at, at + batchSize)
    padded += batch.length * Math.max(...batch)
  }
  const tokens = lengths.reduce((sum, length) => sum + length, 0)
  expectSame('paddingEfficiency', share, padded === 0 ? 1 : tokens / padded)
}

export const textCalls: Record<string, Call> = {
  batches,
  split,
  vocabulary,
  paddingShare,
  labelEncoder(world) {
    const { hostile } = world
    const given = words(world)
    const encoder = world.attempt('text.LabelEncoder', () =>
      hostile.once(2) ? LabelEncoder.fit(given) : new LabelEncoder(given),
    )
    if (encoder === null) return
    const labels = [
      ...words(world).filter(each => hostile.once(2) || encoder.classes.includes(each)),
      ...given,
    ]
    const numbers = world.attempt('text.LabelEncoder.transform', () => encoder.transform(labels))
    if (numbers !== null) expectSame('LabelEncoder.inverse', encoder.inverse(numbers), labels)
    world.attempt('text.LabelEncoder.inverse', () => encoder.inverse([hostile.number(hostile.below(9))]))
  },
  inspect(world) {
    const { hostile } = world
    const articles = articlesOf(world)
    const [long, nth] = [hostile.number(hostile.below(9)), hostile.number(hostile.below(4))]
    const known = new Set(words(world))
    const found = world.attempt('text.inspectArticles', () =>
      inspectArticles(articles, { long, nth, ...(hostile.once(2) && { known }) }),
    )
    if (found === null) return
    const tokens = articles.map(({ text }) => tokenizers.whitespace(text))
    const longer = articles.filter((_, i) => tokens[i]!.length > long)
    expectSame(
      'inspectArticles: long',
      [found.long.count, found.long.text],
      [longer.length, longer[nth]?.text ?? null],
    )
    expectSame('inspectArticles: tokens', found.tokenizers[0]!.tokens, tokens.flat().length)
  },
  tokenizers(world) {
    const text = textOf(world)
    for (const tokenize of [tokenizers.whitespace, tokenizers.words]) {
      const tokens = world.attempt('text.tokenizers', () => tokenize(text))
      const solid = tokens?.join('').replace(/\s/gu, '')
      expectSame('tokenizers', solid, text.replace(/\s/gu, ''))
    }
  },
  invent(world) {
    const { hostile } = world
    const [count, seed] = [hostile.number(1 + hostile.below(3)), hostile.number(hostile.below(9))]
    const made = world.attempt('text.inventArticles', () => inventArticles(count, seed))
    if (made !== null) expectSame('inventArticles', made.length, count)
  },
}

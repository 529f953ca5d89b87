import { badArgument } from '../errors.js'
import { Generator } from '../random.js'
import type { Article } from './gnad.js'
import { type Lexicon, makeLexicon } from './lexicon.js'

/** The order of the two parties in each sentence. */
type Order = 'agent first' | 'patient first' | 'either'

interface Genre {
  category: string
  /** Number of its articles among the 1,028 of 10kGNAD's official test file. */
  weight: number
  /** The topic whose words it uses. */
  topic: number
  order: Order
}

// Two pairs of categories share a topic, so only word order separates the two. A classifier that counts words reaches an
// accuracy of .70 at best.
const genres: readonly Genre[] = [
  { category: 'Etat', weight: 67, topic: 0, order: 'either' },
  { category: 'Inland', weight: 102, topic: 1, order: 'either' },
  { category: 'International', weight: 151, topic: 2, order: 'agent first' },
  { category: 'Kultur', weight: 54, topic: 3, order: 'either' },
  { category: 'Panorama', weight: 168, topic: 4, order: 'agent first' },
  { category: 'Sport', weight: 120, topic: 5, order: 'either' },
  { category: 'Web', weight: 168, topic: 4, order: 'patient first' },
  { category: 'Wirtschaft', weight: 141, topic: 2, order: 'patient first' },
  { category: 'Wissenschaft', weight: 57, topic: 6, order: 'either' },
]
const TOPICS = 7

const SHORTEST = 7
const LONGEST = 4800
const MEDIAN = 298
/** Standard deviation of the length's logarithm. With the median, the mean is 368. */
const SPREAD = 0.65

/** Per call: more would not fit in a process's memory. */
const MOST_ARTICLES = 1e6

/**
 * Generates articles of invented words with 10kGNAD's categories and lengths (7 to 4,800 tokens separated by spaces, median
 * 298): a classification task that may be
 * redistributed. Two pairs of categories differ only in word order; each of the other five
 * has its own topic words. The most common category has a share of .16.
 *
 * All seeds use the same language, so articles from another seed can serve as a test set. The same count and seed give the
 * same articles.
 *
 * @throws PackedRnnError ERR_INVALID_ARGUMENT if `count` is not an integer from 1 to 1,000,000, or for an invalid seed.
 * @example
 * ```ts
 * import { inventArticles } from 'packed-rnn/text'
 *
 * const articles = inventArticles(500, 1)
 * const sport = articles.filter(({ category }) => category === 'Sport')
 * console.log(articles.length, sport.length) // 500 58
 * ```
 */
export function inventArticles(count: number, seed: number): Article[] {
  if (!Number.isInteger(count) || count < 1 || count > MOST_ARTICLES) {
    throw badArgument('inventArticles', 'count', `a positive integer up to ${MOST_ARTICLES}`, count)
  }
  const generator = new Generator(seed)
  const lexicon = makeLexicon(TOPICS)
  return generator.shuffle(spread(count)).map(genre => {
    const length = Math.round(MEDIAN * Math.exp(SPREAD * generator.normal()))
    const words = Math.min(Math.max(length, SHORTEST), LONGEST)
    return { category: genre.category, text: article(words, genre, lexicon, generator) }
  })
}

/** Returns `count` genres in proportion to their weights: cumulative weights are scaled to `count` and rounded. */
function spread(count: number): Genre[] {
  const total = genres.reduce((sum, { weight }) => sum + weight, 0)
  let sum = 0
  return genres.flatMap(genre => {
    const from = Math.round((count * sum) / total)
    sum += genre.weight
    return new Array<Genre>(Math.round((count * sum) / total) - from).fill(genre)
  })
}

function article(length: number, genre: Genre, lexicon: Lexicon, generator: Generator): string {
  const tokens: string[] = []
  while (tokens.length < length) {
    const left = length - tokens.length
    const size = SHORTEST + generator.below(8)
    // The rest must be long enough for another sentence.
    tokens.push(...sentence(left < size + SHORTEST ? left : size, genre, lexicon, generator))
  }
  return tokens.join(' ')
}

/**
 * An opening word, a middle with `agent verb patient` or `patient verb agent` at a random place, and a final participle. Two
 * genres of a pair differ only in that order; their words are drawn from the same distributions.
 */
function sentence(size: number, genre: Genre, lexicon: Lexicon, generator: Generator): string[] {
  const agent = pick(lexicon.agents, generator)
  const patient = pick(lexicon.patients, generator)
  const verb = pick(lexicon.verbs, generator)
  const agentFirst = genre.order === 'either' ? generator.below(2) === 0 : genre.order === 'agent first'
  const parties = agentFirst ? [agent, verb, patient] : [patient, verb, agent]

  const middle = Array.from({ length: size - 5 }, () => middleWord(genre, lexicon, generator))
  middle.splice(generator.below(middle.length + 1), 0, ...parties)
  return [
    pick(lexicon.openings, generator),
    ...middle,
    pick(lexicon.participles, generator) + stop(generator),
  ]
}

function middleWord(genre: Genre, lexicon: Lexicon, generator: Generator): string {
  const kind = generator.uniform()
  if (kind < 0.35) return pick(lexicon.functionWords, generator)
  if (kind < 0.7) {
    // A tenth is drawn from any topic, because articles mention other things too.
    const topic = generator.below(10) === 0 ? generator.below(TOPICS) : genre.topic
    return pick(lexicon.topics[topic]!, generator)
  }
  const word = pick(lexicon.general, generator)
  const dress = generator.uniform()
  if (dress < 0.07) return `${word},`
  if (dress < 0.073) return `"${word}"`
  return dress < 0.0735 ? `'${word}'` : word
}

/** About every twelfth article contains a semicolon or an apostrophe, so CSV quoting is needed as in 10kGNAD. */
function stop(generator: Generator): string {
  const kind = generator.uniform()
  if (kind < 0.0015) return ';'
  if (kind < 0.02) return ':'
  if (kind < 0.04) return '?'
  return kind < 0.05 ? '!' : '.'
}

/** Draws a word; words early in the list are more frequent, as in natural languages. */
function pick(words: readonly string[], generator: Generator): string {
  return words[Math.floor(words.length * generator.uniform() ** 2)]!
}

import { badArgument } from '../errors.js'
import { Generator } from '../random.js'
import type { Article } from './gnad.js'
import { type Lexicon, makeLexicon } from './lexicon.js'

/** Which way round a sentence names the two parties that every sentence has. */
type Order = 'agent first' | 'patient first' | 'either'

interface Genre {
  category: string
  /** Its articles in 10kGNAD's official test file, of 1,028. */
  weight: number
  /** Which topic's words it uses. */
  topic: number
  order: Order
}

// Two pairs share a topic, so that only the order of the words tells which of the two an article is: counting words
// answers .70 of all articles at best.
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
/** Of the logarithm of the length: with the median it puts the mean at 368. */
const SPREAD = 0.65

/** At once: more would not fit in the memory of a process. */
const MOST_ARTICLES = 1e6

/**
 * Articles in 10kGNAD's format, categories and lengths (7 to 4,800 tokens between spaces, half of them under 298),
 * made of invented words: a classification task that may be shipped. Two pairs of categories differ in the order of
 * their words alone; the other five have topic words of their own. The commonest category has a share of .16.
 *
 * All seeds speak one language, so that articles of another seed can be a test set. Same count and seed, same text.
 *
 * @throws PackedRnnError ERR_INVALID_ARGUMENT for a count that is no integer from 1 to 1,000,000, or a bad seed.
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

/** Genres in the proportion of their weights: the j-th of `count` is where its share of the total weight falls. */
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
    // What would be left for the next sentence must be enough for one.
    tokens.push(...sentence(left < size + SHORTEST ? left : size, genre, lexicon, generator))
  }
  return tokens.join(' ')
}

/**
 * An opening word, then the middle with `agent verb patient` or `patient verb agent` somewhere in it, then a participle
 * that ends the sentence. Only the order depends on which of a pair of genres it is; every word is drawn alike.
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
    // A tenth from any topic, as articles do mention other things.
    const topic = generator.below(10) === 0 ? generator.below(TOPICS) : genre.topic
    return pick(lexicon.topics[topic]!, generator)
  }
  const word = pick(lexicon.general, generator)
  const dress = generator.uniform()
  if (dress < 0.07) return `${word},`
  if (dress < 0.073) return `"${word}"`
  return dress < 0.0735 ? `'${word}'` : word
}

/** A semicolon or an apostrophe stands in about every twelfth article, so that CSV quoting is needed as in 10kGNAD. */
function stop(generator: Generator): string {
  const kind = generator.uniform()
  if (kind < 0.0015) return ';'
  if (kind < 0.02) return ':'
  if (kind < 0.04) return '?'
  return kind < 0.05 ? '!' : '.'
}

/** Early words more often than late ones, as in any language. */
function pick(words: readonly string[], generator: Generator): string {
  return words[Math.floor(words.length * generator.uniform() ** 2)]!
}

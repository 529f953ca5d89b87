import { Generator } from '../random.js'

/** The words of the invented language by their role in a sentence. No word is in two lists. */
export interface Lexicon {
  openings: readonly string[]
  functionWords: readonly string[]
  agents: readonly string[]
  patients: readonly string[]
  verbs: readonly string[]
  participles: readonly string[]
  /** Nouns and adjectives that are independent of the topic. */
  general: readonly string[]
  /** Nouns, one list per topic. */
  topics: readonly (readonly string[])[]
}

const openings = [
  'Am',
  'Auch',
  'Bei',
  'Bereits',
  'Dabei',
  'Damit',
  'Für',
  'Gegen',
  'Im',
  'Mit',
  'Nach',
  'Seit',
]
const functionWords = (
  'der die und in den von zu das mit sich auf für ist im nicht ein eine als auch es an werden aus er hat dass sie ' +
  'nach wird bei einer um am sind noch wie einem über so zum war haben nur oder aber vor zur bis mehr durch'
).split(' ')

const onsets =
  'b br d dr f fl g gl gr h k kl kn kr l m n p pf pl r s sch schl schw sp st str t tr v w z zw'.split(' ')
const vowels = 'a e i o u ä ö ü au ei eu ie'.split(' ')
const lightCodas = ['', '', '', 'l', 'n', 'r']
const codas = 'ck ft l ld lm m n nd ng nk r rb rg rk rt s sch st t'.split(' ')
const nounEndings = ['e', 'el', 'er', 'ling', 'ung']
const adjectiveEndings = ['bar', 'haft', 'ig', 'isch', 'lich']

/** Generates the language. Equal numbers of topics produce equal words. */
export function makeLexicon(topics: number): Lexicon {
  const generator = new Generator(0)
  const taken = new Set([...openings, ...functionWords])
  const one = (items: readonly string[]): string => items[generator.below(items.length)]!
  // Two syllables and an ending, so that few words are real ones.
  const stem = (): string =>
    one(onsets) + one(vowels) + one(lightCodas) + one(onsets) + one(vowels) + one(codas)
  const noun = (): string => capitalised(stem() + one(nounEndings))
  const adjective = (): string => stem() + one(adjectiveEndings)
  const verb = (): string => `${stem()}te`
  const participle = (): string => `ge${stem()}en`

  const list = (length: number, make: () => string): string[] => {
    const words: string[] = []
    while (words.length < length) {
      const word = make()
      if (!taken.has(word)) words.push(word)
      taken.add(word)
    }
    return words
  }
  return {
    openings,
    functionWords,
    agents: list(16, noun),
    patients: list(16, noun),
    verbs: list(12, verb),
    participles: list(40, participle),
    general: list(700, () => (generator.below(2) === 0 ? noun() : adjective())),
    topics: Array.from({ length: topics }, () => list(60, noun)),
  }
}

function capitalised(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1)
}

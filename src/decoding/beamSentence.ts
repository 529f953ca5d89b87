import type { Decoded } from './options.js'

/** The search for one sentence: which hypotheses live, which have ended, and when it is done. All on the host. */

/** A text that beam search found. */
export interface Hypothesis extends Decoded {
  /** What it was ranked by: the log-probability with the length and coverage penalties. */
  score: number
}

/** What the searches of all sentences have in common. */
export interface Rules {
  beams: number
  nBest: number
  end: number | null
  stop: 'bound' | 'beams'
  /** What the log-probability of so many tokens, the end mark included, is divided by: at least 0, and not falling. */
  lengthPenalty(tokens: number): number
}

/** The candidates of all rows of a step: row n has the k from n · k on, the most probable first. */
export interface Candidates {
  k: number
  /** log p */
  values: Float32Array
  tokens: Int32Array
  /** What is added to the score of a hypothesis of each row: at most 0. */
  penalties: Float32Array | null
}

/** The tokens so far, the last one first: hypotheses share their beginnings. */
interface Link {
  token: number
  before: Link | null
}

interface Beam {
  text: Link | null
  logProbability: number
}

export class SentenceSearch {
  readonly #rules: Rules
  readonly #maxLength: number
  #living: Beam[]
  /** The best ended ones, the best first. */
  readonly #ended: Hypothesis[] = []
  #endedCount = 0
  /** Those that `maxLength` cut. */
  #cut: Hypothesis[] = []
  #steps = 0

  constructor(rules: Rules, maxLength: number) {
    this.#rules = rules
    this.#maxLength = maxLength
    const start = { text: null, logProbability: 0 }
    this.#living = maxLength > 0 ? [start] : []
    if (maxLength === 0) this.#cut = [{ tokens: [], logProbability: 0, ended: false, score: 0 }]
  }

  /**
   * Takes the next step, in which the living hypotheses are the rows from `first` on.
   * @returns the row that each living hypothesis comes from, and its last token; none if the sentence is done.
   */
  expand(candidates: Candidates, first: number): { rows: number[]; tokens: number[] } {
    const { beams, end } = this.#rules
    const before = this.#living
    this.#steps++
    const next: { beam: Beam; row: number; token: number }[] = []
    let rank = 0
    for (const { row, token, logProbability } of ranked(before, candidates, first)) {
      const { text } = before[row - first]!
      if (token !== end) {
        next.push({ beam: { text: { token, before: text }, logProbability }, row, token })
      } else if (rank < beams) {
        this.#end(this.#scored({ text, logProbability }, candidates.penalties?.[row], true))
      }
      rank++
      if (next.length === beams) break
    }
    this.#living = next.map(({ beam }) => beam)
    if (this.#steps === this.#maxLength) {
      this.#cut = next
        .map(({ beam, row }) => this.#scored(beam, candidates.penalties?.[row], false))
        .sort((a, b) => b.score - a.score)
    }
    if (this.#isDone()) {
      this.#living = []
      return { rows: [], tokens: [] }
    }
    return { rows: next.map(({ row }) => row), tokens: next.map(({ token }) => token) }
  }

  #scored({ text, logProbability }: Beam, penalty: number | undefined, ended: boolean): Hypothesis {
    const score = logProbability / this.#rules.lengthPenalty(this.#steps) + (penalty ?? 0)
    return { tokens: tokensOf(text), logProbability, ended, score }
  }

  /** Keeps an ended hypothesis if it is among the best; after those with the same score. */
  #end(hypothesis: Hypothesis): void {
    this.#endedCount++
    const worse = this.#ended.findIndex(({ score }) => score < hypothesis.score)
    this.#ended.splice(worse < 0 ? this.#ended.length : worse, 0, hypothesis)
    this.#ended.length = Math.min(this.#ended.length, this.#rules.nBest)
  }

  #isDone(): boolean {
    const { beams, nBest, stop, lengthPenalty } = this.#rules
    const [best] = this.#living
    if (best === undefined || this.#steps === this.#maxLength) return true
    if (stop === 'beams' && this.#endedCount >= beams) return true
    const last = this.#ended[nBest - 1]
    // Log-probabilities only fall, and the penalty is largest at the largest length.
    return last !== undefined && last.score >= best.logProbability / lengthPenalty(this.#maxLength)
  }

  /** The best hypotheses: ended ones come before those that `maxLength` cut. */
  results(): Hypothesis[] {
    return [...this.#ended, ...this.#cut].slice(0, this.#rules.nBest)
  }
}

/** All candidates of the rows of a sentence, the most probable first; of equals the earlier row's, then the lower token. */
function* ranked(
  living: readonly Beam[],
  { k, values, tokens }: Candidates,
  first: number,
): Generator<{ row: number; token: number; logProbability: number }> {
  const places = new Array<number>(living.length).fill(0)
  const totals = living.map(({ logProbability }, i) => logProbability + values[(first + i) * k]!)
  for (;;) {
    let best = -1
    let most = -Infinity
    for (let i = 0; i < totals.length; i++) if (totals[i]! > most) [best, most] = [i, totals[i]!]
    if (best < 0) return
    const at = (first + best) * k + places[best]!
    yield { row: first + best, token: tokens[at]!, logProbability: most }
    const place = ++places[best]!
    totals[best] = place < k ? living[best]!.logProbability + values[at + 1]! : -Infinity
  }
}

function tokensOf(text: Link | null): number[] {
  const tokens: number[] = []
  for (let link = text; link !== null; link = link.before) tokens.push(link.token)
  return tokens.reverse()
}

// The rules of `npm run lint:prose`.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { search } from 'nlcst-search'
import remarkParse from 'remark-parse'
import remarkRetext from 'remark-retext'
import retextEnglish from 'retext-english'
import retextIndefiniteArticle from 'retext-indefinite-article'
import retextRepeatedWords from 'retext-repeated-words'
import { unified } from 'unified'
import { VFile } from 'vfile'

/** The most words in a sentence. A code span counts as one word. */
const MOST_WORDS = 35

/** Advice by phrase. A line has phrases, separated by commas, then a colon and the advice; # begins a comment line. */
function readPhrases(file) {
  const advice = new Map()
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const colon = line.indexOf(':')
    if (colon < 0) throw new Error(`${file}: wanted PHRASES: ADVICE, got ${line}`)
    for (const phrase of line.slice(0, colon).split(','))
      advice.set(phrase.trim(), line.slice(colon + 1).trim())
  }
  return advice
}

const advice = readPhrases(join(import.meta.dirname, 'phrases.txt'))

/** Reports listed phrases, also across a line break. */
function retextPhrases() {
  return (tree, file) =>
    search(tree, [...advice.keys()], (nodes, _index, _parent, phrase) => {
      file.message(`"${phrase}": ${advice.get(phrase)}`, nodes[0].position.start)
    })
}

/** Reports sentences of more than MOST_WORDS words. */
function retextSentenceLength() {
  return (tree, file) => {
    const sentences = tree.children.flatMap(({ children = [] }) => children)
    for (const { type, children, position } of sentences) {
      if (type !== 'SentenceNode') continue
      const words = Math.max(...wordCounts(children))
      if (words > MOST_WORDS)
        file.message(`a sentence of ${words} words: use at most ${MOST_WORDS}`, position.start)
    }
  }
}

/**
 * Words up to each full stop, or each `|`: a table reaches this rule as text. The parser does not split at a full stop
 * behind a number or a single letter.
 */
function wordCounts(nodes) {
  const counts = [0]
  nodes.forEach((node, i) => {
    const isWord = node.type === 'WordNode' || node.type === 'SourceNode'
    if (isWord) counts[counts.length - 1]++
    const endsInStop = /[.!?]$/.test(textOf(node)) && nodes[i + 1]?.type === 'WhiteSpaceNode'
    if (node.value === '|' || endsInStop) counts.push(0)
  })
  return counts
}

function textOf({ value, children = [] }) {
  return value ?? children.map(textOf).join('')
}

/** remark-gfm is left out on purpose: remark-retext skips its tables, and reads them as text without it. */
const processor = unified()
  .use(remarkParse)
  .use(
    remarkRetext,
    unified()
      .use(retextEnglish)
      .use(retextIndefiniteArticle)
      .use(retextRepeatedWords)
      .use(retextPhrases)
      .use(retextSentenceLength),
  )

/** What is wrong with the prose of a Markdown page, in order: line, column and reason of each finding. */
export async function findings(path, text) {
  const file = new VFile({ path, value: text })
  await processor.run(processor.parse(file), file)
  // "workload A is" has no article.
  const found = file.messages.filter(
    ({ ruleId, actual }) => ruleId !== 'retext-indefinite-article' || actual !== 'A',
  )
  return found
    .map(({ line, column, reason }) => ({ line, column, reason }))
    .sort((a, b) => a.line - b.line || a.column - b.column)
}

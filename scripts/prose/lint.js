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
import { commentsOf, stringsOf } from './sources.js'

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
    search(tree, [...advice.keys()], (nodes, index, parent, phrase) => {
      // `there is none` is usual English.
      if (/ none$/.test(phrase) && /^there$/i.test(textOf(parent.children[index - 2] ?? {}))) return
      file.message(`"${phrase}": ${advice.get(phrase)}`, nodes[0].position.start)
    })
}

/** Reports sentences of more than MOST_WORDS words. `ends` matches what ends in one. */
function retextSentenceLength({ ends }) {
  return (tree, file) => {
    const sentences = tree.children.flatMap(({ children = [] }) => children)
    for (const { type, children, position } of sentences) {
      if (type !== 'SentenceNode') continue
      const words = Math.max(...wordCounts(children, ends))
      if (words > MOST_WORDS)
        file.message(`a sentence of ${words} words: use at most ${MOST_WORDS}`, position.start)
    }
  }
}

/**
 * Words up to each full stop, or each `|`: a table reaches this rule as text. The parser does not split at a full stop
 * behind a number or a single letter.
 */
function wordCounts(nodes, ends) {
  const counts = [0]
  nodes.forEach((node, i) => {
    const isWord = node.type === 'WordNode' || node.type === 'SourceNode'
    if (isWord) counts[counts.length - 1]++
    const endsInStop = ends.test(textOf(node)) && nodes[i + 1]?.type === 'WhiteSpaceNode'
    if (node.value === '|' || endsInStop) counts.push(0)
  })
  return counts
}

function textOf({ value, children = [] }) {
  return value ?? children.map(textOf).join('')
}

/** remark-gfm is left out on purpose: remark-retext skips its tables, and reads them as text without it. */
const reading = rules => unified().use(remarkParse).use(remarkRetext, rules)
const words = unified().use(retextEnglish).use(retextPhrases)
const sentences = ends =>
  unified()
    .use(retextEnglish)
    .use(retextIndefiniteArticle)
    .use(retextRepeatedWords)
    .use(retextPhrases)
    .use(retextSentenceLength, { ends })
const ofPages = reading(sentences(/[.!?]$/))
/** Docstrings list errors and shapes, with a semicolon behind each. */
const ofComments = reading(sentences(/[.!?;]$/))
const ofStrings = reading(words)

/** What is wrong with the prose of a Markdown page, in order: line, column and reason of each finding. */
export function findingsInPage(path, text) {
  return found(ofPages, path, text)
}

/** The same of the comments and strings of a source file, without columns. */
export async function findingsInSource(path, text) {
  const all = [
    ...(await found(ofComments, path, commentsOf(path, text))),
    ...(await found(ofStrings, path, stringsOf(path, text))),
  ]
  return all.map(({ line, reason }) => ({ line, reason })).sort((a, b) => a.line - b.line)
}

async function found(processor, path, text) {
  const file = new VFile({ path, value: text })
  await processor.run(processor.parse(file), file)
  // "workload A is" has no article.
  return file.messages
    .filter(({ ruleId, actual }) => ruleId !== 'retext-indefinite-article' || actual !== 'A')
    .map(({ line, column, reason }) => ({ line, column, reason }))
    .sort((a, b) => a.line - b.line || a.column - b.column)
}

// The prose of a source file as Markdown pages, for the rules of lint.js: each piece is on the line where the file has it.
import ts from 'typescript'

/** A tag of a docstring, of a parameter with its name. */
const TAG = /^@(?:param\s+(\S+)|\w+)/

/**
 * Returns the comments. Tags, indented lines and comments behind code become list items, because a sentence does not run from one
 * to the next. The name of a parameter becomes code.
 */
export function commentsOf(path, text) {
  const lines = text.split('\n').map(() => '')
  for (const { from, to } of isScript(path) ? scriptComments(text) : nativeComments(text)) {
    const before = text.slice(0, from).split('\n')
    const behindCode = before.at(-1).trim() !== ''
    for (const [i, part] of text.slice(from, to).split('\n').entries()) {
      const prose = asMarkdown(part)
      lines[before.length - 1 + i] += i === 0 && behindCode ? `- ${prose}` : prose
    }
  }
  return lines.join('\n')
}

/** Returns the strings of three words or more: messages, help, and the names of tests, but not what tests read. */
export function stringsOf(path, text) {
  const lines = text.split('\n').map(() => '')
  if (!isScript(path)) return lines.join('\n')
  const source = sourceOf(text)
  const isTest = /\.test\.ts$/.test(path)
  const visit = node => {
    const string = textOf(node)
    if (string !== null && string.split(/\s+/).length > 2 && (!isTest || isTitle(node))) {
      const first = source.getLineAndCharacterOfPosition(node.getStart()).line
      for (const [i, part] of string.split('\n').entries())
        lines[first + i] += `- ${part.replaceAll('\\n', ' ').trim()}`
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return lines.join('\n')
}

const isScript = path => /\.[jt]s$/.test(path)
const sourceOf = text => ts.createSourceFile('file.ts', text, ts.ScriptTarget.Latest, true)

function asMarkdown(line) {
  const [, inner] = /^\s*(?:\/\*\*?|\/\/|\*(?!\/))?(.*?)(?:\*\/)?\s*$/.exec(line)
  const words = inner.trim()
  if (TAG.test(words)) return words.replace(TAG, (_, name) => (name === undefined ? '-' : `- \`${name}\``))
  if (!/^ {3,}\S/.test(inner) || words.startsWith('`')) return words
  // "--long  also compiles …"
  return `- ${words.replace(/^(\S.*?) {2,}/, '`$1` ')}`
}

function scriptComments(text) {
  const source = sourceOf(text)
  const found = new Map()
  const add = ranges => {
    for (const { pos, end } of ranges ?? []) found.set(pos, { from: pos, to: end })
  }
  const visit = node => {
    add(ts.getLeadingCommentRanges(text, node.getFullStart()))
    add(ts.getTrailingCommentRanges(text, node.getEnd()))
    node.getChildren(source).forEach(visit)
  }
  visit(source)
  return [...found.values()].sort((a, b) => a.from - b.from)
}

function nativeComments(text) {
  const all = text.matchAll(/"(?:[^"\\\n]|\\.)*"|(?<comment>\/\/.*|\/\*[\s\S]*?\*\/)/g)
  return [...all].flatMap(({ index, groups: { comment } }) =>
    comment === undefined ? [] : [{ from: index, to: index + comment.length }],
  )
}

/** The text of a string as in the source, or null. What a template inserts becomes code. */
function textOf(node) {
  if (ts.isStringLiteralLike(node)) return node.getText().slice(1, -1)
  if (!ts.isTemplateExpression(node)) return null
  const parts = [node.head, ...node.templateSpans.map(({ literal }) => literal)]
  // `text${, }text${ and }text`
  return parts.map(part => part.getText().replace(/^[`}]|(\$\{|`)$/g, '')).join('`x`')
}

/** Whether a string is the first argument of `test`, `describe` or `test.each(…)`. */
function isTitle(node) {
  const { parent } = node
  return (
    ts.isCallExpression(parent) &&
    parent.arguments[0] === node &&
    /^(test|it|describe)\b/.test(parent.expression.getText())
  )
}

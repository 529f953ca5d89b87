// Writes bench/gnad-lengths.json: the numbers of tokens, split at white space, of the articles in a file of 10kGNAD's format.
//
//   node bench/gpu/write-lengths.js articles.csv 'what file that is'
import { writeFile } from 'node:fs/promises'
import * as text from '../../dist/text/index.js'

const [file, about] = process.argv.slice(2)
const articles = await text.readArticles(file)
const lengths = articles.map(article => text.tokenizers.whitespace(article.text).length).sort((a, b) => a - b)
const target = new URL('../gnad-lengths.json', import.meta.url)
await writeFile(target, `${JSON.stringify({ about, lengths })}\n`)

/**
 * The visible text of the page with less contrast to what lies beneath it than `wanted`. Runs in the page, so it uses nothing
 * from outside. Beneath lie the backgrounds of elements and the fills of shapes, as far as they are see-through one
 * upon the other. Text upon an image cannot be judged, and is among what is returned.
 *
 * @param wanted by WCAG 2.2: from 1, invisible, to 21, black on white
 * @returns a line for each piece of text: it, its contrast, and the two colours, rgb from 0 to 255
 */
export function faintText(wanted: number): string[] {
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true })!
  const known = new Map<string, number[]>()
  const paper = paperColour()
  // Shapes answer as if they caught the mouse, so elementsFromPoint returns all of them.
  const style = document.head.appendChild(document.createElement('style'))
  style.textContent = '* { pointer-events: all !important; transition: none !important }'
  try {
    return texts().flatMap(node => judge(node) ?? [])
  } finally {
    style.remove()
  }

  function texts(): Text[] {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    const found: Text[] = []
    while (walker.nextNode()) {
      const { currentNode } = walker
      if (currentNode instanceof Text && currentNode.data.trim() !== '') found.push(currentNode)
    }
    return found
  }

  function judge(node: Text): string | null {
    const parent = node.parentElement!
    if (!parent.checkVisibility({ visibilityProperty: true })) return null
    if (parent.closest('title, desc, script, style')) return null
    const range = document.createRange()
    range.selectNodeContents(node)
    const box = () => [...range.getClientRects()].find(rect => rect.width > 1 && rect.height > 1)
    const inSight = (rect: DOMRect) =>
      document.elementsFromPoint(rect.x + rect.width / 2, rect.y + rect.height / 2).includes(parent)
    let rect = box()
    if (rect && !inSight(rect)) {
      parent.scrollIntoView({ block: 'center', inline: 'center', behavior: 'instant' })
      rect = box()
    }
    if (rect === undefined || !inSight(rect)) return null
    const { fill, color } = getComputedStyle(parent)
    const svg = parent instanceof SVGElement
    const beneath = backgroundAt(rect.x + rect.width / 2, rect.y + rect.height / 2)
    const text = node.data.trim().slice(0, 60)
    if (beneath === null) return `${text}: upon an image`
    const colour = over(rgba(svg ? fill : color, opacity(parent, svg ? 'fillOpacity' : null)), beneath)
    const [light, dark] = [luminance(colour), luminance(beneath)].sort((a, b) => b - a)
    const ratio = (light! + 0.05) / (dark! + 0.05)
    return ratio < wanted ? `${text}: ${ratio.toFixed(2)}, of ${colour} on ${beneath}` : null
  }

  /** Of a page that sets no background. It depends on the scheme. */
  function paperColour(): number[] {
    const element = document.body.appendChild(document.createElement('div'))
    element.style.backgroundColor = 'Canvas'
    const { backgroundColor } = getComputedStyle(element)
    element.remove()
    return rgba(backgroundColor, 1).slice(0, 3)
  }

  /** The colour of the page at a point, its text left out; null where there is an image. */
  function backgroundAt(x: number, y: number): number[] | null {
    let colour = paper
    for (const element of document.elementsFromPoint(x, y).reverse()) {
      const { backgroundColor, backgroundImage, fill } = getComputedStyle(element)
      if (backgroundImage !== 'none' || element.matches('img, canvas, image, video')) return null
      if (element.matches('rect, circle, ellipse, path, polygon')) {
        colour = over(rgba(fill, opacity(element, 'fillOpacity')), colour)
      } else if (!(element instanceof SVGElement) || element.matches('svg')) {
        colour = over(rgba(backgroundColor, opacity(element, null)), colour)
      }
    }
    return colour
  }

  /** Of an element within its parents. */
  function opacity(element: Element, own: 'fillOpacity' | null): number {
    let share = own === null ? 1 : Number.parseFloat(getComputedStyle(element)[own])
    for (let at: Element | null = element; at !== null; at = at.parentElement) {
      share *= Number.parseFloat(getComputedStyle(at).opacity)
    }
    return share
  }

  function rgba(css: string, share: number): number[] {
    if (css === 'none') return [0, 0, 0, 0]
    if (!known.has(css)) {
      canvas.clearRect(0, 0, 1, 1)
      canvas.fillStyle = css
      canvas.fillRect(0, 0, 1, 1)
      known.set(css, [...canvas.getImageData(0, 0, 1, 1).data])
    }
    const [r, g, b, a] = known.get(css)!
    return [r!, g!, b!, (a! / 255) * share]
  }

  function over(top: number[], bottom: number[]): number[] {
    return bottom.map((value, i) => Math.round(top[i]! * top[3]! + value * (1 - top[3]!)))
  }

  function luminance(colour: number[]): number {
    const [r, g, b] = colour.map(value => {
      const share = value / 255
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!
  }
}

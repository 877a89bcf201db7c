// Evaluated in a page; its value is what a test looks at.
(() => {
  const isLabelled = (field) => field.labels.length > 0;

  // Relative luminance and contrast as WCAG 2.2 defines them.
  const luminance = (colour) => {
    const [r, g, b] = colour.match(/[\d.]+/g).map((part) => {
      const share = Number(part) / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const background = (element) => {
    if (element === null) return 'rgb(255, 255, 255)';
    const colour = getComputedStyle(element).backgroundColor;
    return colour === 'rgba(0, 0, 0, 0)' ? background(element.parentElement) : colour;
  };
  const contrast = (element) => {
    const pair = [luminance(getComputedStyle(element).color), luminance(background(element))];
    const [light, dark] = pair.toSorted((a, b) => b - a);
    return (light + 0.05) / (dark + 0.05);
  };

  const fields = [...document.querySelectorAll('input:not([type=hidden]):not([hidden]), select, textarea')];
  const texts = [...document.querySelectorAll('h1, h2, p, small, a, button, label, td, th, dt, dd, .badge')];
  return {
    unlabelled: fields.filter((field) => !isLabelled(field)).map(({ outerHTML }) => outerHTML),
    headings: document.querySelectorAll('h1').length,
    overflow: Math.max(0, document.documentElement.scrollWidth - innerWidth),
    // Section 1.4.3 asks for 4.5.
    pale: texts.filter((element) => contrast(element) < 4.5).map(({ outerHTML }) => outerHTML.slice(0, 80)),
  };
})();

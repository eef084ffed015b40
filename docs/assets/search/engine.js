/* The search itself: no page, no network, no state but the index. search.js drives it.

     provingSearch.load(data)       data as scripts/proving/search_index.py writes it; makes the inverted index
     provingSearch.find(text, 10)   [{page, score, words}], best first; words: the stems to mark in a title
     provingSearch.stem(word), provingSearch.label(page)

   Score of a page: for each word of the query its best match, whole (1), begun (the last word, while it is typed), another
   word for the same (synonyms), or misspelled by one or two letters; weighed by how rare the word is and by the fields it
   stands in (BM25F). Pairs of words that follow each other in a title, alias or message count on top. Then the share of the
   query that the page answers at all, and what words.yml says of its kind. */
(function (root) {
  "use strict";

  var K1 = 1.2;
  var LENGTH = { title: 0.5, aliases: 0.3, ids: 0, message: 0.3, description: 0.4, headings: 0.4, body: 0.4 };
  var ORDERED = ["title", "aliases", "ids", "message"];
  var PAIR = 0.6;
  var SYNONYM = 0.5;
  var BEGUN = 0.75;
  var ROOT = 0.4;
  var PART = 0.5;
  var SLIP = [0, 0.85, 0.6];
  var OTHER_START = 0.6;
  var COVERAGE = 1.3;
  var EXACT = 1.5;
  var HUMP = /(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{2})|(?<=[a-z]{2})(?=\d)|(?<=[A-Za-z]{3})(?=\d)/;

  var pages = [], postings = new Map(), vocabulary = [], spelled = new Map(), byLength = [], fields = {}, kinds = {}, cues = [];
  var stop = new Set(), synonyms = new Map(), exact = new Map();

  /* A function of one text that remembers its answers: a course says the same words on every page. */
  function remembering(work) {
    var known = new Map();
    return function (text) {
      var answer = known.get(text);
      if (answer === undefined) known.set(text, (answer = work(text)));
      return answer;
    };
  }

  /* The ends that English hangs on a word. What is left need not be a word; it has to be the same one each time. */
  var stem = remembering(function (word) {
    if (word.length < 4 || /\d/.test(word)) return word;
    var short = word.replace(/ies$/, "y").replace(/(ss|us|is)$|(?:'s|s)$/, "$1");
    var bare = short.replace(/(ations?|ating|ated|ates?|ators?|ions?|ings?|ically|ically|edly|ers?|ors?|ed|es|ly|ement|e)$/, "");
    if (bare.length < 3) return short;
    return bare.replace(/([bdfgmnprt])\1$/, "$1");
  });

  /* One run of letters and digits: {word, parts, stems}. camelCase, dots, dashes and underlines join parts that also count by themselves. */
  var split = remembering(function (run) {
    var pieces = run.split(/[_.'@/-]+/);
    var parts = [];
    pieces.forEach(function (piece) {
      var humps = piece.split(HUMP);
      if (humps.length > 1 && humps.length < 6) parts.push.apply(parts, humps);
      else parts.push(piece);
    });
    var word = pieces.join("").toLowerCase();
    parts = parts.length > 1 ? parts.map(function (part) { return part.toLowerCase(); }) : [];
    return { word: word, parts: parts, stems: [word].concat(parts).map(stem) };
  });

  function words(text) {
    var plain = /[^\x00-\x7f]/.test(text) ? text.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").replace(/’/g, "'") : text;
    return (plain.match(/[A-Za-z0-9]+(?:[_.'@/-]+[A-Za-z0-9]+)*/g) || []).map(split);
  }

  /* Postings of a term: [page, weight, page, weight, ...] in the order of pages. */
  function post(term, page, weight) {
    var list = postings.get(term);
    if (!list) postings.set(term, [page, weight]);
    else if (list[list.length - 2] === page) list[list.length - 1] += weight;
    else list.push(page, weight);
  }

  function load(data) {
    fields = data.fields;
    kinds = data.kinds;
    pages = data.pages;
    stop = new Set(data.stop);
    postings = new Map();
    exact = new Map();
    synonyms = new Map();
    spelled = new Map();
    vocabulary = [];
    cues = Object.keys(data.cues).map(function (kind) {
      return { kind: kind, boost: data.cues[kind].boost, words: new Set(data.cues[kind].words) };
    });
    data.synonyms.forEach(function (line) {
      var stems = line.map(stem);
      stems.forEach(function (one) {
        var others = synonyms.get(one) || [];
        synonyms.set(one, others.concat(stems.filter(function (other) { return other !== one; })));
      });
    });
    var mean = {};
    Object.keys(fields).forEach(function (field) {
      var having = pages.filter(function (page) { return page[field]; });
      var sum = having.reduce(function (before, page) { return before + page[field].length; }, 0);
      mean[field] = sum / (having.length || 1);
    });
    pages.forEach(function (page, number) {
      Object.keys(fields).forEach(function (field) {
        if (!page[field]) return;
        // A word counts less in a field that is longer than usual.
        var weight = fields[field] / (1 - LENGTH[field] + LENGTH[field] * page[field].length / mean[field]);
        page[field].split(" | ").forEach(function (piece) { put(piece, number, field, weight); });
      });
    });
    postings.forEach(function (list, term) {
      for (var i = 1; i < list.length; i += 2) list[i] /= K1 + list[i];
      if (term.indexOf(" ") < 0) vocabulary.push(term);
    });
    vocabulary.sort();
    byLength = [];
    spelled.forEach(function (term, word) {
      if (!/\d/.test(word)) (byLength[word.length] = byLength[word.length] || []).push(word);
    });
  }

  function put(text, number, field, weight) {
    var run = words(text);
    run.forEach(function (item) {
      item.stems.forEach(function (name, at) {
        post(name, number, weight);
        spelled.set(at ? item.parts[at - 1] : item.word, name);
      });
    });
    if (ORDERED.indexOf(field) < 0) return;
    var before = "";
    run.forEach(function (item) {
      // Two words in a row, as a pair and run together: "OS Guard" is also typed "osguard".
      (item.parts.length ? item.parts : [item.word]).forEach(function (part) {
        if (before) {
          post(stem(before) + " " + stem(part), number, weight);
          if (field !== "message") post(stem(before + part), number, weight / 2);
        }
        before = part;
      });
    });
    if (field !== "title" && field !== "aliases") return;
    var key = phrase(run);
    if (exact.has(key)) exact.get(key).push(number);
    else exact.set(key, [number]);
  }

  function phrase(run) {
    return run.map(function (item) { return (item.parts.length ? item.parts : [item.word]).map(stem).join(" "); }).join(" ");
  }

  /* Letters to add, drop, change or swap, up to `most`; more than that is most + 1. */
  function distance(one, other, most) {
    if (Math.abs(one.length - other.length) > most) return most + 1;
    var before = [], last = [], row = [];
    for (var j = 0; j <= other.length; j++) last[j] = j;
    for (var i = 1; i <= one.length; i++) {
      row = [i];
      var best = i;
      for (j = 1; j <= other.length; j++) {
        var same = one[i - 1] === other[j - 1] ? 0 : 1;
        var value = Math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + same);
        if (i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1]) value = Math.min(value, before[j - 2] + 1);
        row[j] = value;
        if (value < best) best = value;
      }
      if (best > most) return most + 1;
      before = last;
      last = row;
    }
    return last[other.length];
  }

  /* Add the terms that begin with `head`: the more of a term there is, the more it counts. */
  function begun(head, add, weight) {
    var low = 0, high = vocabulary.length;
    while (low < high) {
      var middle = (low + high) >> 1;
      if (vocabulary[middle] < head) low = middle + 1;
      else high = middle;
    }
    for (; low < vocabulary.length && vocabulary[low].indexOf(head) === 0; low++) {
      add(vocabulary[low], weight * (0.4 + 0.6 * head.length / vocabulary[low].length));
    }
  }

  /* The terms of the index that a typed word may mean: Map of term to weight. */
  function meant(word, typing) {
    var found = new Map();
    function add(term, weight) {
      if (postings.has(term) && weight > (found.get(term) || 0)) found.set(term, weight);
    }
    var name = stem(word);
    add(name, 1);
    if (typing && word.length > 1) begun(name, add, BEGUN);
    (synonyms.get(name) || []).forEach(function (other) { add(other, SYNONYM); });
    // A word that pages hold is hardly misspelled. One that no page holds is, and then its repair is what was meant.
    if (!postings.has(name) && word.length > 3 && !/\d/.test(word)) {
      var most = word.length > 6 ? 2 : 1;
      for (var size = word.length - most; size <= word.length + most; size++) {
        (byLength[size] || []).forEach(function (other) {
          var slips = distance(word, other, most);
          if (slips <= most) add(spelled.get(other), SLIP[slips] * (other[0] === word[0] ? 1 : OTHER_START));
        });
      }
      // Nothing near it: what begins as it does, so that no word leads nowhere.
      for (var end = word.length - 1; end > 2 && !found.size; end--) begun(word.slice(0, end), add, ROOT);
    }
    return found;
  }

  function rarity(term) {
    var many = postings.get(term).length / 2;
    return Math.log(1 + (pages.length - many + 0.5) / (many + 0.5));
  }

  /* What is asked: [{terms, weight}], one for each word, and one for each pair of neighbours. */
  function read(text) {
    var run = words(text);
    var open = /[A-Za-z0-9]$/.test(text);
    var telling = run.filter(function (item) { return !stop.has(item.word); });
    if (!telling.length) telling = run;
    var asked = [];
    telling.forEach(function (item) {
      var last = open && item === run[run.length - 1];
      var whole = meant(item.word, last);
      if (!item.parts.length || whole.size) asked.push({ word: item.word, terms: whole, share: 1 });
      item.parts.forEach(function (part, at) {
        if (stop.has(part)) return;
        asked.push({ word: part, terms: meant(part, last && at === item.parts.length - 1), share: whole.size ? PART : 1 });
      });
    });
    var flat = [];
    run.forEach(function (item) { flat.push.apply(flat, item.parts.length ? item.parts : [item.word]); });
    var pairs = [];
    for (var i = 1; i < flat.length; i++) {
      var pair = stem(flat[i - 1]) + " " + stem(flat[i]);
      if (postings.has(pair) && !(stop.has(flat[i - 1]) && stop.has(flat[i]))) pairs.push(pair);
      // "cool down" where pages write "cooldown": it answers both words.
      var joined = stem(flat[i - 1] + flat[i]);
      if (postings.has(joined)) {
        asked.forEach(function (item) {
          if (item.word === flat[i - 1] || item.word === flat[i]) item.terms.set(joined, 1);
        });
      }
    }
    return { asked: asked, pairs: new Set(pairs), phrase: phrase(run), all: new Set(flat) };
  }

  function find(text, most) {
    var query = read(text);
    var scores = new Map(), covered = new Map(), marks = new Set();
    var possible = 0;
    query.asked.forEach(function (item) {
      var best = new Map();
      var ideal = 0;
      item.terms.forEach(function (weight, term) {
        var rare = rarity(term);
        ideal = Math.max(ideal, rare * weight);
        marks.add(term);
        var list = postings.get(term);
        for (var i = 0; i < list.length; i += 2) {
          var score = weight * rare * list[i + 1];
          var old = best.get(list[i]);
          if (!old || score > old.score) best.set(list[i], { score: score, share: weight });
        }
      });
      // A word that no page holds, spelled in any way, says as much about a page as a rather common one.
      ideal = ideal || 2;
      possible += ideal * item.share;
      best.forEach(function (hit, number) {
        scores.set(number, (scores.get(number) || 0) + hit.score * item.share);
        covered.set(number, (covered.get(number) || 0) + ideal * item.share * Math.min(1, hit.share + 0.2));
      });
    });
    query.pairs.forEach(function (pair) {
      var rare = rarity(pair);
      var list = postings.get(pair);
      for (var i = 0; i < list.length; i += 2) {
        if (scores.has(list[i])) scores.set(list[i], scores.get(list[i]) + PAIR * rare * list[i + 1]);
      }
    });
    var whole = new Set(exact.get(query.phrase) || []);
    var hints = cues.filter(function (cue) {
      return Array.from(query.all).some(function (word) { return cue.words.has(word); });
    });
    var results = [];
    scores.forEach(function (score, number) {
      var page = pages[number];
      var boost = kinds[page.kind].boost;
      hints.forEach(function (cue) { if (cue.kind === page.kind) boost *= cue.boost; });
      if (whole.has(number)) boost *= EXACT;
      results.push({ page: page, score: score * boost * Math.pow(covered.get(number) / possible, COVERAGE), words: marks });
    });
    results.sort(function (one, other) { return other.score - one.score || (one.page.at < other.page.at ? -1 : 1); });
    return results.slice(0, most || 10);
  }

  function label(page) {
    return kinds[page.kind].label;
  }

  root.provingSearch = { load: load, find: find, stem: stem, label: label };
})(window);

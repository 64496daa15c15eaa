package io.peft4j.torchscript;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * How long the chains are in which classes, methods and functions refer to each other. libtorch
 * loads what a text refers to while it loads the text, and puts what is called into what calls, one
 * call deeper for each; the end of its stack ends the process.
 */
final class CodeReferences {

    /** Models have some twenty; with a stack of 1 MB, libtorch ends the process before 200. */
    static final int MAX_DEPTH = 100;

    private static final Pattern HEAD = Pattern.compile("(?m)^(?:(?:class|def) (\\w++)|\\S)");
    private static final Pattern METHOD = Pattern.compile("(?m)^  def (\\w++)\\(");
    private static final Pattern NAME = Pattern.compile("__torch__(?:\\.\\w++)++");
    private static final Pattern CALL = Pattern.compile("\\.(\\w++)\\(");

    /** What each class, method and function refers to, all by number. */
    private final List<Collection<Integer>> references = new ArrayList<>();

    private final Map<String, Integer> numbers = new LinkedHashMap<>();

    /** How many references may still be noted. */
    private int left = 2_000_000;

    private CodeReferences() {}

    /** The most items that libtorch would have begun and not ended at a time. */
    static int deepest(Map<String, String> records) {
        CodeReferences code = new CodeReferences();
        Map<String, String> items = new LinkedHashMap<>();
        records.forEach((record, text) -> split(prefix(record), text, items));
        items.keySet().forEach(name -> code.numbers.put(name, code.numbers.size()));
        for (int i = 0; i < items.size(); i++) {
            code.references.add(List.of());
        }
        for (Map.Entry<String, String> item : items.entrySet()) {
            code.add(item.getKey(), item.getValue());
            if (code.left < 0) {
                return MAX_DEPTH + 1;
            }
        }
        return code.longest();
    }

    /** {@code code/__torch__/a/b.py} has the names that begin with {@code __torch__.a.b}. */
    private static String prefix(String record) {
        int end = record.length() - ".py".length();
        return record.substring("code/".length(), end).replace('/', '.');
    }

    private static void split(String prefix, String text, Map<String, String> items) {
        Matcher head = HEAD.matcher(text);
        String name = null;
        int start = 0;
        for (boolean more = true; more; ) {
            more = head.find();
            int end = more ? head.start() : text.length();
            if (name != null) {
                items.putIfAbsent(prefix + "." + name, text.substring(start, end));
            }
            name = more ? head.group(1) : null;
            start = end;
        }
    }

    private void add(String name, String text) {
        int own = numbers.getOrDefault(name, -1);
        Matcher head = METHOD.matcher(text);
        Map<String, Integer> methods = new HashMap<>();
        List<Integer> starts = new ArrayList<>();
        while (head.find()) {
            methods.putIfAbsent(head.group(1), references.size());
            references.add(List.of());
            starts.add(head.start());
        }
        int first = references.size() - starts.size();
        int end = starts.isEmpty() ? text.length() : starts.get(0);
        Set<Integer> all = named(text.substring(0, end), own);
        for (int i = 0; i < starts.size(); i++) {
            int to = i + 1 < starts.size() ? starts.get(i + 1) : text.length();
            String method = text.substring(starts.get(i), to);
            Set<Integer> refers = named(method, own);
            Matcher call = CALL.matcher(method);
            while (call.find()) {
                Integer called = methods.get(call.group(1));
                if (called != null && called != first + i) {
                    refers.add(called);
                }
            }
            references.set(first + i, refers);
            left -= refers.size();
            all.add(first + i);
        }
        references.set(own, all);
        left -= all.size();
    }

    /** The items that a text names, but for the one whose text it is. */
    private Set<Integer> named(String text, int own) {
        Set<Integer> found = new TreeSet<>();
        Matcher name = NAME.matcher(text);
        while (name.find()) {
            Integer number = numbers.get(name.group());
            if (number != null && number != own) {
                found.add(number);
            }
        }
        return found;
    }

    /** The longest chain; what refers to itself in a circle counts as one chain. */
    private int longest() {
        int items = references.size();
        List<Collection<Integer>> referrers = new ArrayList<>();
        for (int i = 0; i < items; i++) {
            referrers.add(new ArrayList<>(1));
        }
        for (int i = 0; i < items; i++) {
            for (int referred : references.get(i)) {
                referrers.get(referred).add(i);
            }
        }
        boolean[] gone = new boolean[items];
        int ends = takeAway(references, referrers, gone);
        int beginnings = takeAway(referrers, references, gone);
        int circles = 0;
        for (boolean taken : gone) {
            circles += taken ? 0 : 1;
        }
        return ends + beginnings + circles;
    }

    /** Takes away what has nothing more below it, again and again; returns how often. */
    private static int takeAway(
            List<Collection<Integer>> below, List<Collection<Integer>> above, boolean[] gone) {
        int[] left = new int[gone.length];
        List<Integer> free = new ArrayList<>();
        for (int i = 0; i < gone.length; i++) {
            for (int item : below.get(i)) {
                left[i] += gone[item] ? 0 : 1;
            }
            if (left[i] == 0 && !gone[i]) {
                free.add(i);
            }
        }
        int rounds = 0;
        for (; !free.isEmpty(); rounds++) {
            List<Integer> next = new ArrayList<>();
            for (int item : free) {
                gone[item] = true;
                for (int user : above.get(item)) {
                    if (--left[user] == 0 && !gone[user]) {
                        next.add(user);
                    }
                }
            }
            free = next;
        }
        return rounds;
    }
}

package io.peft4j.site;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.commonmark.ext.gfm.tables.TablesExtension;
import org.commonmark.ext.heading.anchor.HeadingAnchorExtension;
import org.commonmark.node.AbstractVisitor;
import org.commonmark.node.Code;
import org.commonmark.node.FencedCodeBlock;
import org.commonmark.node.Heading;
import org.commonmark.node.HtmlBlock;
import org.commonmark.node.Node;
import org.commonmark.node.Text;
import org.commonmark.parser.IncludeSourceSpans;
import org.commonmark.parser.Parser;

/**
 * A Markdown page of the repository.
 *
 * @param path where it is, below the repository's root
 * @param text its Markdown
 */
public record Page(Path path, String text) {

    static final List<org.commonmark.Extension> EXTENSIONS =
            List.of(TablesExtension.create(), HeadingAnchorExtension.create());
    private static final Parser PARSER =
            Parser.builder()
                    .extensions(EXTENSIONS)
                    .includeSourceSpans(IncludeSourceSpans.BLOCKS)
                    .build();

    /** Directories that hold no page. */
    private static final Set<String> SKIPPED = Set.of("target", ".git", "out", "node_modules");

    /**
     * Finds the pages of a repository.
     *
     * @param root its root
     * @return all Markdown files, by path
     * @throws IOException if one cannot be read
     */
    public static List<Page> all(Path root) throws IOException {
        List<Page> pages = new ArrayList<>();
        collect(root, root, pages);
        pages.sort((a, b) -> a.path.compareTo(b.path));
        return pages;
    }

    private static void collect(Path root, Path directory, List<Page> pages) throws IOException {
        List<Path> entries;
        try (Stream<Path> listed = Files.list(directory)) {
            entries = listed.toList();
        }
        for (Path entry : entries) {
            String name = entry.getFileName().toString();
            if (Files.isDirectory(entry)) {
                if (!SKIPPED.contains(name) && !name.startsWith(".")) {
                    collect(root, entry, pages);
                }
            } else if (name.endsWith(".md")) {
                pages.add(new Page(root.relativize(entry), Files.readString(entry)));
            }
        }
    }

    /** Parses the Markdown; the tree is the caller's to change. */
    Node parse() {
        return PARSER.parse(text);
    }

    /** Returns the first heading's text, or the file's name. */
    String title() {
        Node node = parse().getFirstChild();
        while (node != null && !(node instanceof Heading)) {
            node = node.getNext();
        }
        return node == null ? path.getFileName().toString() : text(node);
    }

    /** Returns the words below a node, without addresses and marks. */
    static String text(Node node) {
        StringBuilder words = new StringBuilder();
        node.accept(
                new AbstractVisitor() {
                    @Override
                    public void visit(Text text) {
                        words.append(text.getLiteral());
                    }

                    @Override
                    public void visit(Code code) {
                        words.append(code.getLiteral());
                    }
                });
        return words.toString();
    }

    /**
     * Returns the fenced blocks of code, in their order.
     *
     * @return the blocks
     */
    public List<CodeBlock> blocks() {
        List<CodeBlock> blocks = new ArrayList<>();
        parse().accept(
                        new AbstractVisitor() {
                            @Override
                            public void visit(FencedCodeBlock block) {
                                blocks.add(
                                        new CodeBlock(
                                                path,
                                                block.getSourceSpans().get(0).getLineIndex() + 1,
                                                block.getInfo().strip(),
                                                block.getLiteral(),
                                                commentBefore(block)));
                            }
                        });
        return Collections.unmodifiableList(blocks);
    }

    /** What an HTML comment directly above a node says; readers of the page do not see it. */
    private static String commentBefore(Node node) {
        if (!(node.getPrevious() instanceof HtmlBlock html)) {
            return "";
        }
        String literal = html.getLiteral().strip();
        return literal.startsWith("<!--") && literal.endsWith("-->")
                ? literal.substring(4, literal.length() - 3).strip()
                : "";
    }
}

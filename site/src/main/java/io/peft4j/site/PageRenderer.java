package io.peft4j.site;

import java.nio.file.Path;
import java.util.Optional;
import java.util.Set;
import org.commonmark.node.AbstractVisitor;
import org.commonmark.node.Code;
import org.commonmark.node.FencedCodeBlock;
import org.commonmark.node.HtmlBlock;
import org.commonmark.node.Image;
import org.commonmark.node.Link;
import org.commonmark.node.Node;
import org.commonmark.renderer.NodeRenderer;
import org.commonmark.renderer.html.HtmlNodeRendererContext;
import org.commonmark.renderer.html.HtmlRenderer;

/** Makes HTML of a page: links lead to the site's pages, names of public types to their Javadoc. */
final class PageRenderer {

    private final Targets targets;
    private final ApiIndex api;
    private final HtmlRenderer renderer =
            HtmlRenderer.builder()
                    .extensions(Page.EXTENSIONS)
                    .nodeRendererFactory(CodeRenderer::new)
                    .build();

    PageRenderer(Targets targets, ApiIndex api) {
        this.targets = targets;
        this.api = api;
    }

    String html(Page page) {
        Node tree = page.parse();
        tree.accept(new Links(page.path()));
        String html = renderer.render(tree);
        return html.replace("<table>", "<div class=\"table\"><table>")
                .replace("</table>", "</table></div>");
    }

    private final class Links extends AbstractVisitor {

        private final Path page;

        Links(Path page) {
            this.page = page;
        }

        @Override
        public void visit(Link link) {
            link.setDestination(targets.address(page, link.getDestination()));
            // code in a link leads where the link does
        }

        @Override
        public void visit(Image image) {
            image.setDestination(targets.address(page, image.getDestination()));
        }

        @Override
        public void visit(Code code) {
            Optional<Path> type = api.find(code.getLiteral());
            if (type.isPresent()) {
                Link link = new Link(Targets.relative(targets.output(page), type.get()), null);
                code.insertBefore(link);
                link.appendChild(code);
            }
        }

        @Override
        public void visit(HtmlBlock html) {
            if (html.getLiteral().startsWith("<!--")) {
                html.unlink(); // notes for the tests
            }
        }
    }

    /** Code blocks with colours. */
    private record CodeRenderer(HtmlNodeRendererContext context) implements NodeRenderer {

        @Override
        public Set<Class<? extends Node>> getNodeTypes() {
            return Set.of(FencedCodeBlock.class);
        }

        @Override
        public void render(Node node) {
            FencedCodeBlock block = (FencedCodeBlock) node;
            context.getWriter().line();
            context.getWriter()
                    .raw(
                            "<pre><code>"
                                    + Highlighter.html(block.getInfo().strip(), block.getLiteral())
                                    + "</code></pre>");
            context.getWriter().line();
        }
    }
}

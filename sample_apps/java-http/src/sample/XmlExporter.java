package sample;

import java.io.StringWriter;
import java.util.List;
import javax.xml.stream.XMLOutputFactory;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamWriter;

/** XML, by the platform's own writer. */
public final class XmlExporter implements Exporter {
    @Override
    public String name() {
        return "xml";
    }

    @Override
    public String type() {
        return "application/xml";
    }

    @Override
    public String export(List<Task> tasks) {
        StringWriter text = new StringWriter();
        try {
            XMLStreamWriter writer = XMLOutputFactory.newFactory().createXMLStreamWriter(text);
            writer.writeStartElement("tasks");
            for (Task task : tasks) {
                writer.writeStartElement("task");
                writer.writeAttribute("id", Integer.toString(task.id()));
                writer.writeCharacters(task.title());
                writer.writeEndElement();
            }
            writer.writeEndElement();
            writer.close();
        } catch (XMLStreamException error) {
            throw new IllegalStateException(error);
        }
        return text.toString();
    }
}

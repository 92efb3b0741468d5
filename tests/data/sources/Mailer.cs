using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.RegularExpressions;
using System.Threading.Tasks;

namespace Example.Mail
{
    /// <summary>Sends messages (in batches).</summary>
    public sealed class Mailer : IDisposable
    {
        private static readonly Regex Brackets = new Regex(@"[()\]}]");
        private readonly List<Message> waiting = new List<Message>();

        public int BatchSize { get; set; } = 10;

        public event EventHandler<Message> Sent;

        public void Add(Message message)
        {
            if (message == null)
            {
                throw new ArgumentNullException(nameof(message));
            }
            else if (message.To.Contains(')'))
            {
                message.To = Brackets.Replace(message.To, "");
            }
            else
            {
                waiting.Add(message);
            }
        }

        public async Task<int> SendAsync(
            Func<Message, Task<bool>> send,
            int attempts = 3)
        {
            var count = 0;
            foreach (var message in waiting.Take(BatchSize).ToList())
            {
                try
                {
                    if (await send(message))
                    {
                        count++;
                        Sent?.Invoke(this, message);
                    }
                }
                catch (TimeoutException) when (attempts > 0)
                {
                    count += await SendAsync(send, attempts - 1);
                }
                finally
                {
                    waiting.Remove(message);
                }
            }
            return count;
        }

        public string Describe() => $"{waiting.Count} waiting (of {BatchSize})";

        public IEnumerable<string> Subjects()
        {
            return waiting
                .Where(message => !string.IsNullOrEmpty(message.Subject))
                .Select(message =>
                {
                    var subject = message.Subject.Trim();
                    return subject.Length > 40 ? subject.Substring(0, 40) + "..." : subject;
                })
                .OrderBy(subject => subject);
        }

        public void Dispose()
        {
            switch (waiting.Count)
            {
                case 0:
                    break;
                default:
                    Console.WriteLine("lost: {0} message(s)", waiting.Count);
                    break;
            }
        }
    }

    public class Message
    {
        public string To { get; set; }
        public string Subject { get; set; }
    }
}
